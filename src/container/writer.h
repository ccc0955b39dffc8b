// Writers of both containers. Tensor data is pulled one tensor at a time from `fill`, so that a
// file larger than memory can be written; files appear whole or not at all.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "container/metadata.h"
#include "container/tensor_file.h"

namespace hearth {

struct TensorToWrite {
  std::string name;
  std::vector<uint64_t> shape;  // outermost first
  const Encoding* encoding = nullptr;
  // Appends exactly encoding->bytes_of(elems) bytes to `out`.
  std::function<Result<void>(std::vector<std::byte>& out)> fill;
};

// GGUF version 3. general.alignment is taken from the metadata (32 where it is absent).
Result<void> write_gguf(const std::string& path, const Metadata& metadata,
                        const std::vector<TensorToWrite>& tensors);

// One .safetensors file; encodings F32, F16, BF16 only. `metadata` becomes __metadata__.
Result<void> write_safetensors(const std::string& path,
                               const std::vector<std::pair<std::string, std::string>>& metadata,
                               const std::vector<TensorToWrite>& tensors);

}  // namespace hearth
