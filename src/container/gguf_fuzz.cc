// libFuzzer entry: any bytes as a GGUF file, opened and walked.
#include <cstddef>
#include <cstdint>

#include "container/tensor_file.h"

using namespace hearth;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  auto file = TensorFile::open_gguf(memory_source({bytes, bytes + size}, "fuzz"));
  if (!file) return 0;
  volatile double sink = 0;
  for (const auto& [key, value] : file->metadata().pairs()) {
    const auto* array = std::get_if<MetaArray>(&value.value);
    if (array == nullptr || array->item == MetaType::kString) continue;
    for (uint64_t i = 0; i < array->count; ++i) sink = sink + array->number_at(i);
  }
  for (const TensorInfo& tensor : file->tensors())
    for (std::byte b : file->data(tensor)) sink = sink + static_cast<double>(b);
  return 0;
}
