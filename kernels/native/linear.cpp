#include "linear.hpp"

#include <algorithm>
#include <vector>

#include "thread_pool.hpp"

namespace granite {

namespace {

// Rows processed together keep their packed form in the second-level cache.
constexpr int64_t kRowBlockBytes = 1 << 20;
constexpr int64_t kRangesPerThread = 16;

Format format_of(const PackedWeight& part) { return static_cast<Format>(part.format); }

Panel panel_at(const PackedWeight& part, int64_t inputs, int64_t number) {
  const int64_t groups = inputs / kGroup;
  const uint8_t* start = part.panels + number * panel_bytes(format_of(part), inputs);
  if (format_of(part) == Format::kBfloat16) return {nullptr, start, false};
  return {reinterpret_cast<const uint16_t*>(start), start + groups * kPanel * 2, false};
}

struct Scratch {
  std::vector<int8_t> values;
  std::vector<float> scales, floats;
  std::vector<int32_t> corrections[2];
};

template <typename T>
void grow(std::vector<T>& memory, size_t size) {
  if (memory.size() < size) memory.resize(size);
}

// Rows of x, cut into tiles.
class TiledRows {
 public:
  TiledRows(Scratch& scratch, int64_t row_tile, bool as_floats, int64_t rows, int64_t inputs)
      : scratch_(scratch), row_tile_(row_tile), as_floats_(as_floats), rows_(rows), inputs_(inputs) {
    const int64_t groups = as_floats ? 0 : inputs / kGroup;
    grow(scratch.floats, as_floats * rows * inputs);
    grow(scratch.values, !as_floats * rows * inputs);
    grow(scratch.scales, rows * groups);
    for (auto& corrections : scratch.corrections) grow(corrections, rows * groups);
  }

  int64_t count() const { return (rows_ + row_tile_ - 1) / row_tile_; }

  RowTile at(int64_t number) const {
    const int64_t first = number * row_tile_, rows = std::min(row_tile_, rows_ - first);
    const int64_t value = first * inputs_, group = first * (inputs_ / kGroup);
    RowTile tile{};
    tile.rows = rows;
    if (as_floats_) {
      tile.floats = scratch_.floats.data() + value;
      return tile;
    }
    tile.values = scratch_.values.data() + value;
    tile.scales = scratch_.scales.data() + group;
    for (int i = 0; i < 2; ++i) tile.corrections[i] = scratch_.corrections[i].data() + group;
    return tile;
  }

  void fill(ThreadPool& pool, const LinearKernels& kernels, const float* x) const {
    const int64_t groups = inputs_ / kGroup;
    const int64_t cuts = rows_ == 1 ? 1 : std::min<int64_t>(groups, pool.num_threads());
    pool.run(count() * cuts, [&](int64_t task) {
      const RowTile tile = at(task / cuts);
      const int64_t cut = task % cuts;
      const int64_t first = groups * cut / cuts * kGroup, last = groups * (cut + 1) / cuts * kGroup;
      for (int64_t r = 0; r < tile.rows; ++r) {
        const float* row = x + (task / cuts * row_tile_ + r) * inputs_;
        if (as_floats_) {
          for (int64_t i = first; i < last; ++i) tile.floats[i * tile.rows + r] = row[i];
        } else {
          kernels.quantize_row(row, first, last, tile, r);
        }
      }
    });
  }

 private:
  Scratch& scratch_;
  const int64_t row_tile_;
  const bool as_floats_;
  const int64_t rows_, inputs_;
};

// Where one panel of one part is, and its first output.
struct PlacedPanel {
  Panel panel;
  Format format;
  int64_t output;
};

PlacedPanel find_panel(const PackedWeight* part, int64_t inputs, int64_t number) {
  int64_t output = 0;
  for (; number >= part->outputs / kPanel; ++part) {
    number -= part->outputs / kPanel;
    output += part->outputs;
  }
  return {panel_at(*part, inputs, number), format_of(*part), output + number * kPanel};
}

// The size of equal parts of `count`, of at most `most` each and as few as possible: a tile of one or two
// rows is slow.
int64_t even_part(int64_t count, int64_t most) {
  const int64_t parts = (count + most - 1) / most;
  return (count + parts - 1) / parts;
}

int64_t most_rows_of_tile(const LinearKernels& kernels, Format format, int64_t rows) {
  const int64_t lone = kernels.lone_tile[static_cast<int>(format)];
  return rows <= lone ? lone : kernels.row_tile[static_cast<int>(format)];
}

int64_t count_panels(int64_t num_parts, const PackedWeight* parts) {
  int64_t outputs = 0;
  for (int64_t i = 0; i < num_parts; ++i) outputs += parts[i].outputs;
  return outputs / kPanel;
}

}  // namespace

int64_t group_bytes(Format format) {
  const int64_t bits = format == Format::kInt8 ? 8 : format == Format::kInt4 ? 4 : 16;
  return kPanel * kGroup * bits / 8;
}

int64_t panel_bytes(Format format, int64_t inputs) {
  const int64_t scales = format == Format::kBfloat16 ? 0 : kPanel * 2;
  return inputs / kGroup * (group_bytes(format) + scales);
}

void linear(ThreadPool& pool, const LinearKernels& kernels, const float* x, int64_t rows,
            int64_t inputs, int64_t num_parts, const PackedWeight* parts, float* y,
            int64_t y_stride) {
  static thread_local Scratch scratch;
  const bool as_floats = format_of(parts[0]) == Format::kBfloat16;
  const int64_t most_rows = most_rows_of_tile(kernels, format_of(parts[0]), rows);
  const int64_t row_bytes = inputs * (as_floats ? sizeof(float) : sizeof(int8_t));
  const int64_t row_block = std::max<int64_t>(1, kRowBlockBytes / row_bytes / most_rows) * most_rows;
  const int64_t panels = count_panels(num_parts, parts);
  for (int64_t first = 0; first < rows; first += row_block) {
    const int64_t count = std::min(row_block, rows - first);
    const int64_t row_tile = even_part(count, most_rows);
    const TiledRows tiles(scratch, row_tile, as_floats, count, inputs);
    tiles.fill(pool, kernels, x + first * inputs);
    pool.run_ranges(panels, kRangesPerThread, [&](int64_t p) {
      PlacedPanel placed = find_panel(parts, inputs, p);
      for (int64_t t = 0; t < tiles.count(); ++t) {
        placed.panel.is_cached = t > 0;
        kernels.multiply[static_cast<int>(placed.format)](
            tiles.at(t), inputs, placed.panel,
            y + (first + t * row_tile) * y_stride + placed.output, y_stride);
      }
    });
  }
}

}  // namespace granite
