"""A linear layer without bias: where weights may be stored in another form than on disk."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod

import torch
from torch import Tensor, nn

from kernels.interface import Kernels
from kernels.packing import Format, PackedWeight, packed_shape


@dataclass(frozen=True, slots=True)
class RowPart:
    """Consecutive output rows that are stored in one format."""

    format: Format
    num_rows: int


class Projection(nn.Module):
    """Holds its weight plain, or packed in the parts of `layout` once it is stored.

    `parts` are in row order; all but the last fill whole panels.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernels: Kernels,
        layout: Sequence[RowPart] = (),
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_features, in_features), requires_grad=False)
        self.kernels = kernels
        self.layout = tuple(layout)
        self.shape = (out_features, in_features)
        self.parts: tuple[PackedWeight, ...] = ()

    @property
    def packed_bytes(self) -> int | None:
        """Of the weight to come; None if it stays plain."""
        return sum(map(prod, self._packed_shapes())) if self.layout else None

    def store(self, weight: Tensor) -> None:
        """Take in the checkpoint's weight, (out_features, in_features); it is not needed after."""
        if self.layout:
            self._hold(self._pack(weight))
        else:
            self.weight = nn.Parameter(weight, requires_grad=False)

    def store_packed(self, data: Tensor) -> None:
        """Take in what `packed_data` was before, (packed_bytes,) uint8."""
        shapes = self._packed_shapes()
        if not shapes:
            raise ValueError("a plain weight is not stored packed")
        pieces = torch.split(data, [prod(shape) for shape in shapes])
        inputs = self.shape[1]
        self._hold(
            tuple(
                PackedWeight(piece.view(shape), part.format, inputs, part.num_rows)
                for piece, shape, part in zip(pieces, shapes, self.layout, strict=True)
            )
        )

    def packed_data(self) -> Tensor:
        """The bytes of all parts, (packed_bytes,) uint8."""
        return torch.cat([part.data.flatten() for part in self.parts])

    def holds(self, weight: Tensor) -> bool:
        """Whether what is stored came from this very weight."""
        if not self.parts:
            return torch.equal(self.weight, weight.to(self.weight.device))
        again = self._pack(weight)
        return all(
            torch.equal(part.data, other.data)
            for part, other in zip(self.parts, again, strict=True)
        )

    def forward(self, rows: Tensor) -> Tensor:
        """(num_rows, in_features) -> (num_rows, out_features)."""
        return self.kernels.linear(rows, self.parts or self.weight)

    def rows_of(self, indices: Tensor) -> Tensor:
        """The weight's rows of these numbers, as in an embedding: (num_indices, in_features)."""
        if not self.parts:
            return self.weight[indices]
        rows = torch.empty(indices.numel(), self.shape[1])
        ends = accumulate(part.out_features for part in self.parts)
        for part, end in zip(self.parts, ends, strict=True):
            start = end - part.out_features
            inside = (indices >= start) & (indices < end)
            rows[inside] = part.rows(indices[inside] - start)
        return rows

    def _packed_shapes(self) -> list[tuple[int, int]]:
        """(panels, panel_bytes) of every part."""
        return [packed_shape(part.num_rows, self.shape[1], part.format) for part in self.layout]

    def _pack(self, weight: Tensor) -> tuple[PackedWeight, ...]:
        pieces = torch.split(weight, [part.num_rows for part in self.layout])
        return tuple(
            self.kernels.pack(piece, part.format)
            for piece, part in zip(pieces, self.layout, strict=True)
        )

    def _hold(self, parts: tuple[PackedWeight, ...]) -> None:
        self.parts = parts
        self.weight = nn.Parameter(torch.empty(0), requires_grad=False)
