#include "exercise.h"

#include <bit>
#include <functional>

namespace hearth {
namespace {

uint64_t walk(const MetaArray& array) {
  uint64_t sum = array.count;
  if (array.item == MetaType::kString) {
    for (std::string_view text : array.strings) sum += std::hash<std::string_view>()(text);
    return sum;
  }
  for (uint64_t i = 0; i < array.count; ++i)
    sum += std::bit_cast<uint64_t>(array.number_at(i)) + static_cast<uint64_t>(array.integer_at(i));
  return sum;
}

// Every typed access, right or wrong: wrong ones must be errors, not more.
uint64_t ask(const Metadata& metadata, const std::string& key) {
  uint64_t sum = metadata.uint(key).value_or(1);
  sum += std::bit_cast<uint64_t>(metadata.number(key).value_or(1));
  sum += metadata.boolean(key, false).value_or(true);
  sum += metadata.text(key).value_or("").size();
  sum += metadata.array(key).has_value();
  return sum;
}

}  // namespace

uint64_t exercise(const TensorFile& file) {
  TensorFile copy = file;
  uint64_t sum = copy.file_bytes();
  for (const auto& [key, value] : copy.metadata().pairs()) {
    sum += ask(copy.metadata(), key);
    if (const auto* array = std::get_if<MetaArray>(&value.value)) sum += walk(*array);
  }
  for (const TensorInfo& tensor : copy.tensors()) {
    auto data = copy.data(tensor);
    if (!data.empty())
      sum += static_cast<uint64_t>(data.front()) + static_cast<uint64_t>(data.back());
    sum += tensor.elems() + tensor.shape_text().size();
    sum += copy.find(tensor.name) == &tensor;
  }
  return sum;
}

}  // namespace hearth
