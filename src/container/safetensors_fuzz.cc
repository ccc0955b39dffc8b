// libFuzzer entry: any bytes as a safetensors file, opened and walked.
#include <cstddef>
#include <cstdint>

#include "container/tensor_file.h"

using namespace hearth;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  auto file = TensorFile::open_safetensors(memory_source({bytes, bytes + size}, "fuzz"));
  if (!file) return 0;
  volatile unsigned sink = 0;
  for (const TensorInfo& tensor : file->tensors())
    for (std::byte b : file->data(tensor)) sink = sink + static_cast<unsigned>(b);
  return 0;
}
