#include "container/tensor_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "base/check.h"
#include "base/out_of_memory.h"
#include "container/gguf.h"
#include "container/quote.h"
#include "container/safetensors.h"

namespace hearth {

uint64_t TensorInfo::elems() const {
  uint64_t product = 1;
  for (uint64_t dim : shape) product *= dim;
  return product;
}

std::string TensorInfo::shape_text() const {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i) out += fmt::format("{}{}", i ? ", " : "", shape[i]);
  return out + "]";
}

namespace {

Result<TensorFile> open_any(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return SafetensorsParser::open_folder(path);
  if (path.ends_with(".index.json")) return SafetensorsParser::open_index(path);
  auto source = TRY(open_mapped(path));
  // What a file is called does not matter when its first bytes speak: a blob has no suffix.
  auto head = source->mapped().first(std::min<size_t>(source->mapped().size(), 9));
  std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  bool gguf = text.starts_with("GGUF");
  if (!gguf && (path.ends_with(".safetensors") || (text.size() == 9 && text[8] == '{')))
    return SafetensorsParser::open(std::move(source));
  if (!gguf && !path.ends_with(".gguf"))
    return fail(Code::kCorrupt, "{}: is neither a GGUF nor a safetensors file", path);
  return GgufParser::open(path);
}

}  // namespace

Result<TensorFile> TensorFile::open(const std::string& path) {
  return catching_bad_alloc([&] { return open_any(path); });
}

Result<TensorFile> TensorFile::open_gguf(std::shared_ptr<const ByteSource> source) {
  return catching_bad_alloc([&] { return GgufParser::open(std::move(source)); });
}

Result<TensorFile> TensorFile::open_safetensors(std::shared_ptr<const ByteSource> source) {
  return catching_bad_alloc([&] { return SafetensorsParser::open(std::move(source)); });
}

const TensorInfo* TensorFile::find(std::string_view name) const {
  auto it = by_name_.find(std::string(name));
  return it == by_name_.end() ? nullptr : &tensors_[it->second];
}

std::span<const std::byte> TensorFile::data(const TensorInfo& tensor) const {
  CHECK(tensor.part < parts_.size());
  auto all = parts_[tensor.part]->mapped();
  CHECK(tensor.offset <= all.size() && tensor.bytes <= all.size() - tensor.offset);
  return all.subspan(tensor.offset, tensor.bytes);
}

uint64_t TensorFile::file_bytes() const {
  return std::accumulate(parts_.begin(), parts_.end(), uint64_t{0},
                         [](uint64_t sum, const auto& part) { return sum + part->size(); });
}

Result<void> TensorFile::index_tensors() {
  by_name_.reserve(tensors_.size());
  for (size_t i = 0; i < tensors_.size(); ++i) {
    auto [other, is_new] = by_name_.emplace(tensors_[i].name, i);
    if (!is_new)
      return fail(Code::kCorrupt, "{}: two tensors are named {}, with data at offsets {} and {}",
                  parts_[tensors_[i].part]->name(), quote_name(tensors_[i].name),
                  tensors_[other->second].offset, tensors_[i].offset);
  }
  std::vector<const TensorInfo*> order;
  order.reserve(tensors_.size());
  for (const TensorInfo& tensor : tensors_) order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [](const TensorInfo* a, const TensorInfo* b) {
    return std::pair(a->part, a->offset) < std::pair(b->part, b->offset);
  });
  for (size_t i = 1; i < order.size(); ++i) {
    const TensorInfo &before = *order[i - 1], &after = *order[i];
    if (before.part == after.part && after.offset < before.offset + before.bytes)
      return fail(Code::kCorrupt,
                  "{}: tensors {} and {} overlap: bytes {} to {}, and the other from offset {}",
                  parts_[after.part]->name(), quote_name(before.name), quote_name(after.name),
                  before.offset, before.offset + before.bytes, after.offset);
  }
  return {};
}

}  // namespace hearth
