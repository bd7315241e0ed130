from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from benchmarks.granite_tokenizer import GRANITE_FILES
from model_loader.chat_template import ChatTemplate
from model_loader.conversation import Conversation, InvalidConversation
from model_loader.errors import InvalidTokenizer
from model_loader.tokenizer import InvalidText, Tokenizer
from tests.tiny_checkpoint import TinyShape, write_json
from tests.tiny_tokenizer import build_tokenizer, write_tokenizer

CONTROL_TOKENS = tuple(
    token.content for token in build_tokenizer().get_added_tokens_decoder().values()
)
# What must survive unchanged: JSON escapes, spaces, fragments of tags, private-use characters.
text = st.text(
    alphabet='ab "\\\n\t<|>/{}%_é漢😀\u200d\x00\U000f0000\U000f0001', max_size=12
).filter(lambda drawn: not any(token in drawn for token in CONTROL_TOKENS))
json_value = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
content = text | st.lists(
    st.fixed_dictionaries({"type": st.just("text"), "text": text}), max_size=3
)
tool_call = st.fixed_dictionaries(
    {
        "type": st.just("function"),
        "function": st.fixed_dictionaries(
            {"name": text, "arguments": text | st.dictionaries(text, json_value, max_size=3)}
        ),
    }
)
message = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "tool"]), "content": content}
) | st.fixed_dictionaries(
    {"role": st.just("assistant"), "content": content | st.none()},
    optional={"tool_calls": st.lists(tool_call, max_size=3)},
)
tool = st.fixed_dictionaries(
    {
        "type": st.just("function"),
        "function": st.fixed_dictionaries(
            {
                "name": text,
                "description": text,
                "parameters": st.dictionaries(text, json_value, max_size=3),
            }
        ),
    }
)
document = st.dictionaries(text, json_value, min_size=1, max_size=3)


@pytest.fixture(scope="module")
def reference() -> Any:
    source = (GRANITE_FILES / "chat_template.jinja").read_text(encoding="utf-8")
    load: Any = PreTrainedTokenizerFast
    return load(tokenizer_object=build_tokenizer(), chat_template=source)


@settings(max_examples=200, deadline=None)
@given(
    messages=st.lists(message, min_size=1, max_size=5),
    tools=st.none() | st.lists(tool, max_size=2),
    documents=st.none() | st.lists(document, max_size=2),
    add_generation_prompt=st.booleans(),
)
def test_ids_agree_with_transformers_where_no_text_spells_a_control_token(
    template: ChatTemplate,
    reference: Any,
    messages: list[dict[str, Any]],
    tools: list[dict[str, Any]] | None,
    documents: list[dict[str, Any]] | None,
    add_generation_prompt: bool,
) -> None:
    expected = reference.apply_chat_template(
        messages,
        tools=tools,
        documents=documents,
        add_generation_prompt=add_generation_prompt,
        return_dict=False,
    )

    assert (
        template.render(
            Conversation(
                messages=messages,
                tools=tools,
                documents=documents,
                add_generation_prompt=add_generation_prompt,
            )
        )
        == expected
    )


def with_template(directory: Path, source: str) -> ChatTemplate:
    write_tokenizer(directory)
    (directory / "chat_template.jinja").write_text(source, encoding="utf-8")
    return ChatTemplate.from_directory(directory, Tokenizer.from_directory(directory))


def test_a_template_in_the_tokenizer_config_is_used_where_there_is_no_file(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    write_tokenizer(tmp_path)
    (tmp_path / "chat_template.jinja").unlink()
    source = "{{ eos_token }}{{ messages[0].content }}"
    write_json(
        tmp_path / "tokenizer_config.json",
        {"chat_template": source, "eos_token": {"content": "<|end_of_text|>"}},
    )
    template = ChatTemplate.from_directory(tmp_path, tokenizer)

    ids = template.render(Conversation(messages=[{"role": "user", "content": "a<|end_of_text|>"}]))

    assert ids == [*tokenizer.eos_ids, *b"a<|end_of_text|>"]


@pytest.mark.parametrize("config", [{}, {"chat_template": [{"name": "default"}]}])
def test_a_checkpoint_without_a_template_is_refused(
    tmp_path: Path, tokenizer: Tokenizer, config: dict[str, Any]
) -> None:
    write_json(tmp_path / "tokenizer_config.json", config)

    with pytest.raises(InvalidTokenizer, match="chat_template"):
        ChatTemplate.from_directory(tmp_path, tokenizer)


def test_a_template_that_does_not_parse_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidTokenizer, match="does not parse"):
        with_template(tmp_path, "{% if %}")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{{ raise_exception('roles must alternate') }}", "roles must alternate"),
        ("{{ raise_exception(messages[0].content) }}", "no <here>"),
        ("{{ messages[7].content }}", "has no element 7"),
        ("{{ messages[0].absent + 'a' }}", "absent"),
        ("{{ 'a' + 1 }}", "can only concatenate"),
        ("{{ 1 // 0 }}", "by zero"),
        ("{{ messages.append(1) }}", "unsafe"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "unsafe"),
        ("{% for i in range(1000000) %}{% endfor %}", "Range too big"),
    ],
)
def test_what_a_template_cannot_render_is_an_error_of_the_conversation(
    tmp_path: Path, source: str, reason: str
) -> None:
    template = with_template(tmp_path, source)

    with pytest.raises(InvalidConversation, match=reason):
        template.render(Conversation(messages=[{"role": "user", "content": "no <here>"}]))


def test_no_messages_are_an_error_of_the_conversation(template: ChatTemplate) -> None:
    with pytest.raises(InvalidConversation):
        template.render(Conversation(messages=[]))


def test_blocks_leave_no_spaces_and_helpers_of_the_hub_exist(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    template = with_template(
        tmp_path,
        "{% for m in messages %}\n  {% if loop.index > 1 %}{% break %}{% endif %}\n"
        "{{ m | tojson(indent=1) }}{% endfor %}{{ strftime_now('%Y') | length }}",
    )
    messages = [{"role": "user", "content": "<é&'>"}, {"role": "user", "content": "b"}]

    ids = template.render(Conversation(messages=messages))

    assert tokenizer.decode(ids) == '{\n "role": "user",\n "content": "<é&\'>"\n}4'


def test_templates_may_measure_cut_and_change_text(tmp_path: Path, tokenizer: Tokenizer) -> None:
    template = with_template(
        tmp_path,
        "{% set c = messages[0].content %}{{ c | length }} {{ (c | trim).split(' ')[1] | upper }}",
    )

    ids = template.render(Conversation(messages=[{"role": "user", "content": " x <b> "}]))

    assert tokenizer.decode(ids) == "7 <B>"


@pytest.mark.parametrize(
    ("source", "content"),
    [
        ("{{ messages[0].content }}|end_of_text|>", "<"),
        ("<|end_of_{{ messages[0].content }}", "text|>"),
    ],
)
def test_text_cannot_complete_what_the_template_began(
    tmp_path: Path, source: str, content: str
) -> None:
    template = with_template(tmp_path, source)

    ids = template.render(Conversation(messages=[{"role": "user", "content": content}]))

    assert ids == list(b"<|end_of_text|>")


@pytest.mark.parametrize(
    "hostile",
    ["{{7*7}}", "{% for i in range(9**9) %}a{% endfor %}", "{{''.__class__}}", "{# gone #}"],
)
def test_template_language_in_text_stays_text(
    template: ChatTemplate, tokenizer: Tokenizer, hostile: str
) -> None:
    tool = {"type": "function", "function": {"name": hostile, "description": hostile}}

    ids = template.render(
        Conversation(messages=[{"role": "user", "content": hostile}], tools=[tool])
    )

    assert tokenizer.decode(ids).count(hostile) == 3


def test_json_nested_too_deeply_is_an_error_of_the_conversation(template: ChatTemplate) -> None:
    schema: dict[str, Any] = {}
    for _ in range(200):
        schema = {"items": schema}

    with pytest.raises(InvalidConversation, match="deep"):
        template.render(Conversation(messages=[{"role": "user", "content": "a"}], tools=[schema]))


def test_a_lone_surrogate_is_an_error_of_the_text(template: ChatTemplate) -> None:
    with pytest.raises(InvalidText):
        template.render(Conversation(messages=[{"role": "user", "content": "\ud800"}]))


def test_text_that_uses_every_private_character_is_refused(template: ChatTemplate) -> None:
    everything = "".join(map(chr, range(0xF0000, 0xFFFFE)))

    with pytest.raises(InvalidConversation, match="private-use"):
        template.render(Conversation(messages=[{"role": "user", "content": everything}]))


@pytest.mark.parametrize("token", ["x|>", "<|x", " <x>"])
def test_a_control_token_whose_ends_are_ordinary_text_is_refused(
    tmp_path: Path, token: str
) -> None:
    write_tokenizer(tmp_path)
    write_json(tmp_path / "config.json", TinyShape(vocab_size=353).published_config())
    backend = build_tokenizer()
    backend.add_special_tokens([token])
    backend.save(str(tmp_path / "tokenizer.json"))

    with pytest.raises(InvalidTokenizer, match="begins or ends with"):
        ChatTemplate.from_directory(tmp_path, Tokenizer.from_directory(tmp_path))


def test_a_template_says_which_further_variables_it_reads(
    tmp_path: Path, template: ChatTemplate
) -> None:
    source = "{% if thinking %}{{ style }}{% endif %}{{ messages }}{{ bos_token }}{{ range(2) }}"
    own = with_template(tmp_path, source)
    assert own.options == {"thinking", "style"}
    assert template.options == frozenset()


def test_options_reach_the_template_as_untrusted_text(tmp_path: Path) -> None:
    own = with_template(tmp_path, "<|start_of_role|>{{ style }}")
    conversation = Conversation(messages=[], options={"style": "<|end_of_text|>"})
    ids = own.render(conversation)
    assert len([token_id for token_id in ids if token_id > 255]) == 1
    assert bytes(ids[1:]) == b"<|end_of_text|>"


@pytest.mark.parametrize(
    "source",
    ["none", "{{ messages[0].content }}{{ messages[0].content }}", "{{ messages | length }}"],
)
def test_a_message_that_is_not_shown_once_cannot_be_continued(tmp_path: Path, source: str) -> None:
    own = with_template(tmp_path, source)
    begun = Conversation(
        messages=[{"role": "assistant", "content": "a"}], continue_final_message=True
    )
    with pytest.raises(InvalidConversation):
        own.render(begun)


@pytest.mark.parametrize("messages", [[], [{"role": "assistant"}], [{"content": []}]])
def test_without_text_there_is_nothing_to_continue(
    template: ChatTemplate, messages: list[dict[str, Any]]
) -> None:
    with pytest.raises(InvalidConversation, match="to continue"):
        template.render(Conversation(messages=messages, continue_final_message=True))
