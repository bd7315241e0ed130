"""A linear layer without bias: where weights may be stored in another form than on disk."""

import torch
from torch import Tensor, nn

from kernels.interface import Kernels
from kernels.packing import Format, PackedWeight, packed_shape


class Projection(nn.Module):
    """Holds its weight plain, or packed in `format` once it is stored."""

    def __init__(
        self, in_features: int, out_features: int, kernels: Kernels, format: Format | None = None
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_features, in_features), requires_grad=False)
        self.kernels = kernels
        self.format = format
        self.packed: PackedWeight | None = None

    @property
    def packed_shape(self) -> tuple[int, int] | None:
        """(panels, panel_bytes) of the weight to come; None if it stays plain."""
        if self.format is None:
            return None
        outputs, inputs = self.weight.shape
        return packed_shape(outputs, inputs, self.format)

    def store(self, weight: Tensor) -> None:
        """Take in the checkpoint's weight, (out_features, in_features); it is not needed after."""
        if self.format is None:
            self.weight = nn.Parameter(weight, requires_grad=False)
        else:
            self._hold(self.kernels.pack(weight, self.format))

    def store_packed(self, data: Tensor) -> None:
        """Take in a weight that was packed before, uint8 of `packed_shape`."""
        if self.format is None:
            raise ValueError("a plain weight is not stored packed")
        outputs, inputs = self.weight.shape
        self._hold(PackedWeight(data, self.format, inputs, outputs))

    def _hold(self, packed: PackedWeight) -> None:
        self.packed = packed
        self.weight = nn.Parameter(torch.empty(0), requires_grad=False)

    def holds(self, weight: Tensor) -> bool:
        """Whether what is stored came from this very weight."""
        if self.packed is None:
            return torch.equal(self.weight, weight.to(self.weight.device))
        return torch.equal(self.packed.data, self.kernels.pack(weight, self.packed.format).data)

    def forward(self, rows: Tensor) -> Tensor:
        """(num_rows, in_features) -> (num_rows, out_features)."""
        return self.kernels.linear(rows, self.weight if self.packed is None else self.packed)

    def rows_of(self, indices: Tensor) -> Tensor:
        """The weight's rows of these numbers, as in an embedding: (num_indices, in_features)."""
        if self.packed is None:
            return self.weight[indices]
        return self.packed.rows(indices)
