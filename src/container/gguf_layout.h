// Inside of the container folder: the bytes before the data of a GGUF file.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "container/metadata.h"
#include "container/writer.h"

namespace hearth {

struct GgufLayout {
  std::string header;             // padded to the beginning of the data
  uint64_t alignment = 0;
  std::vector<uint64_t> offsets;  // of each tensor, from the beginning of the data
  std::vector<uint64_t> bytes;    // of each tensor, without padding
  uint64_t file_bytes = 0;        // header, data and padding
};

// Lays a version 3 file out: tensors in the order given, each at a multiple of general.alignment,
// the last one padded too. kInvalid for what the format cannot hold.
Result<GgufLayout> lay_out_gguf(const Metadata& metadata,
                                const std::vector<TensorToWrite>& tensors);

}  // namespace hearth
