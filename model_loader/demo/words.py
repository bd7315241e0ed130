"""The closed vocabulary of the synthetic dialogues: words that become single tokens."""

WORDS: tuple[str, ...] = tuple(
    dict.fromkeys(
        """
    apple river stone garden window candle forest silver mountain bridge orange falcon tiger
    violin pencil button castle dragon engine feather guitar hammer island jacket kitchen
    lantern marble needle ocean paper quiet rabbit saddle table umbrella velvet walnut yellow
    zebra anchor basket carpet desert eagle flower glove harbor iron jungle kettle ladder mirror
    nest onion planet queen rocket shadow temple valley winter yard acorn bottle cloud door
    earth fire glass horse ink juice king leaf moon night oak pearl rain snow tree voice water
    bear bird boat book bread brick brush cake chair cheese circle clock coat coin corn cotton
    cow cup curtain daisy desk diamond dog drum duck ear egg elbow farm fence field finger fish
    flag fork fox frog gate ghost goat gold grape grass green hat heart hill honey hotel house
    ice jar jewel kite knife lake lamp lemon letter lion lock maple market melon metal milk mint
    mouse mud nail net nose nut olive owl paint palm park peach pen pepper piano pig pillow
    pilot pine pipe plate plum pocket pond potato purple rabbit radio red ring road robot roof
    room root rope rose salt sand scarf school sea seed ship shirt shoe shop sky smoke soap sock
    song soup spice spoon spring square star station steel storm straw street sugar summer sun
    swan sword tail tea tent ticket tiger toast tomato tower toy train truck tunnel turtle uncle
    vase village wagon wall watch wave wheat wheel whale wind wing wire wolf wood wool worm zero
    blue black white brown gray pink small big large little old new young fast slow warm cold
    hot dry wet soft hard loud bright dark deep tall short long round sharp smooth sweet sour
    clean empty full heavy light rich brave calm kind wise happy sad proud busy lazy early late
    open close begin end run walk jump swim fly sing read write draw build carry catch drop find
    give hold keep learn leave look make meet move open pull push reach rest ride rise send
    shine sit sleep speak stand start stay stop talk teach throw touch turn wait wake wash wear
    win work morning evening today tomorrow yesterday monday friday sunday breakfast dinner
    lunch meeting party ticket travel family friend mother father sister brother doctor teacher
    painter farmer baker sailor writer singer dancer world country city music picture story game
    code word
    """.split()
    )
)
CODE_WORDS: tuple[str, ...] = tuple(word for word in WORDS if len(word) >= 4)
NAMES: tuple[str, ...] = tuple(
    """
    Anna Ben Clara David Emma Felix Greta Henry Ida Jack Kate Leo Maria Nina Oscar Paula Quinn
    Rosa Sam Tina Uma Victor Wendy Xavier Yara Zoe Alice Bob Carol Daniel Eva Frank Grace Hugo
    Irene John Karen Lucas Mia Noah Olivia Peter Rachel Simon Thomas Laura Martin Sofia Julia
    Adam Sarah Paul Lisa James Mary Robert Linda Michael Susan Tom
    """.split()
)
CITIES: tuple[str, ...] = tuple(
    """
    Paris London Berlin Madrid Rome Vienna Tokyo Oslo Dublin Lisbon Prague Athens Warsaw
    Helsinki Stockholm Brussels Amsterdam Budapest Zurich Geneva Milan Munich Hamburg Barcelona
    Boston Chicago Dallas Denver Seattle Miami Houston Toronto Montreal Sydney Melbourne Delhi
    Mumbai Beijing Shanghai Seoul Bangkok Jakarta Manila Cairo Nairobi Lagos Lima Bogota
    Santiago Havana Istanbul Moscow Kyoto Osaka Dubai Lyon Porto Naples Venice Florence
    """.split()
)
COMMON: tuple[str, ...] = tuple(
    """
    the a and is of in to with my on it this that you are we was for not has have from they be
    at or by one two three about what when where how why can will do get go see come time day
    year way man people hello please thank yes no good bad better best test quick jumps over he
    she his her their our if then
    """.split()
)
CONDITIONS: tuple[str, ...] = (
    "sunny",
    "cloudy",
    "rainy",
    "windy",
    "snowy",
    "foggy",
    "clear",
    "stormy",
)
