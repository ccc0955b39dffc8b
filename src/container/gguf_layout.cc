#include "container/gguf_layout.h"

#include <bit>
#include <cstring>
#include <limits>
#include <unordered_set>

#include "base/math.h"
#include "base/utf8.h"
#include "container/limits.h"
#include "container/quote.h"

namespace hearth {
namespace {

template <class T>
void put(std::string& out, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

void put_string(std::string& out, std::string_view text) {
  put<uint64_t>(out, text.size());
  out.append(text);
}

std::unexpected<Error> wrong(std::string_view key, MetaType type) {
  return fail(Code::kInvalid, "metadata {}: its value does not fit its type {}", quote_name(key),
              name_of(type));
}

// Stores a number that is kept as `Kept` in the width of the file.
template <class Stored, class Kept>
Result<void> put_number(std::string& out, std::string_view key, const MetaValue& value) {
  const Kept* kept = std::get_if<Kept>(&value.value);
  if (kept == nullptr) return wrong(key, value.type);
  if constexpr (std::integral<Stored>) {
    if (!std::in_range<Stored>(*kept)) return wrong(key, value.type);
  }
  put(out, static_cast<Stored>(*kept));
  return {};
}

Result<void> put_array(std::string& out, std::string_view key, const MetaArray& array) {
  put(out, static_cast<uint32_t>(array.item));
  put<uint64_t>(out, array.count);
  if (array.item == MetaType::kArray || static_cast<uint32_t>(array.item) >= kMetaTypes)
    return wrong(key, MetaType::kArray);
  if (array.item == MetaType::kString) {
    if (array.count != array.strings.size()) return wrong(key, MetaType::kArray);
    for (std::string_view text : array.strings) put_string(out, text);
    return {};
  }
  auto bytes = checked_mul<uint64_t>(array.count, size_of(array.item));
  if (bytes != array.raw.size()) return wrong(key, MetaType::kArray);
  out.append(reinterpret_cast<const char*>(array.raw.data()), array.raw.size());
  return {};
}

Result<void> put_value(std::string& out, std::string_view key, const MetaValue& value) {
  put(out, static_cast<uint32_t>(value.type));
  switch (value.type) {
    case MetaType::kU8: return put_number<uint8_t, uint64_t>(out, key, value);
    case MetaType::kI8: return put_number<int8_t, int64_t>(out, key, value);
    case MetaType::kU16: return put_number<uint16_t, uint64_t>(out, key, value);
    case MetaType::kI16: return put_number<int16_t, int64_t>(out, key, value);
    case MetaType::kU32: return put_number<uint32_t, uint64_t>(out, key, value);
    case MetaType::kI32: return put_number<int32_t, int64_t>(out, key, value);
    case MetaType::kU64: return put_number<uint64_t, uint64_t>(out, key, value);
    case MetaType::kI64: return put_number<int64_t, int64_t>(out, key, value);
    case MetaType::kF32: return put_number<float, double>(out, key, value);
    case MetaType::kF64: return put_number<double, double>(out, key, value);
    case MetaType::kBool: {
      const bool* flag = std::get_if<bool>(&value.value);
      if (flag == nullptr) return wrong(key, value.type);
      put<uint8_t>(out, *flag ? 1 : 0);
      return {};
    }
    case MetaType::kString: {
      const std::string* text = std::get_if<std::string>(&value.value);
      if (text == nullptr) return wrong(key, value.type);
      put_string(out, *text);
      return {};
    }
    case MetaType::kArray: {
      const MetaArray* array = std::get_if<MetaArray>(&value.value);
      if (array == nullptr) return wrong(key, value.type);
      return put_array(out, key, *array);
    }
  }
  return fail(Code::kInvalid, "metadata {}: no such type", quote_name(key));
}

Result<uint64_t> alignment_of(const Metadata& metadata) {
  uint64_t alignment = TRY(metadata.uint("general.alignment", kAlignmentDefault));
  if (!std::has_single_bit(alignment) || alignment < kAlignmentMin || alignment > kAlignmentMax)
    return fail(Code::kInvalid, "general.alignment is {}, not a power of two from {} to {}",
                alignment, kAlignmentMin, kAlignmentMax);
  return alignment;
}

Result<uint64_t> tensor_bytes(const TensorToWrite& tensor) {
  std::string name = quote_name(tensor.name);
  if (tensor.name.empty() || tensor.name.size() > kNameBytesMax || !is_valid_utf8(tensor.name))
    return fail(Code::kInvalid, "tensor {}: a name has 1 to {} bytes of UTF-8", name,
                kNameBytesMax);
  if (tensor.encoding == nullptr) return fail(Code::kInvalid, "tensor {}: no encoding", name);
  if (tensor.shape.size() > kDimsMax)
    return fail(Code::kInvalid, "tensor {}: {} dimensions, at most {} are allowed", name,
                tensor.shape.size(), kDimsMax);
  uint64_t elems = 1;
  for (uint64_t dim : tensor.shape) {
    auto product = checked_mul(elems, dim);
    if (dim == 0 || !product || *product > INT64_MAX)
      return fail(Code::kInvalid, "tensor {}: dimension {} is out of range", name, dim);
    elems = *product;
  }
  uint64_t row = tensor.shape.empty() ? 1 : tensor.shape.back();
  uint64_t block = tensor.encoding->block_elems;
  if (row % block != 0)
    return fail(Code::kInvalid, "tensor {}: rows of {} values are no whole {} blocks of {}", name,
                row, tensor.encoding->name, block);
  auto bytes = checked_mul<uint64_t>(elems / block, tensor.encoding->block_bytes);
  if (!bytes) return fail(Code::kInvalid, "tensor {}: takes more than 2^64 bytes", name);
  return *bytes;
}

Result<void> place(GgufLayout& out, const std::vector<TensorToWrite>& tensors) {
  std::unordered_set<std::string_view> names;
  uint64_t end = 0;
  for (const TensorToWrite& tensor : tensors) {
    uint64_t bytes = TRY(tensor_bytes(tensor));
    if (!names.insert(tensor.name).second)
      return fail(Code::kInvalid, "two tensors are named {}", quote_name(tensor.name));
    out.offsets.push_back(end);
    out.bytes.push_back(bytes);
    auto next = checked_add(end, bytes);
    auto padded = next ? checked_align(*next, out.alignment) : std::nullopt;
    if (!padded || *padded > INT64_MAX)
      return fail(Code::kInvalid, "tensor {}: the file would be too large",
                  quote_name(tensor.name));
    end = *padded;
  }
  out.file_bytes = end;  // of the data; the header's are added by the caller
  return {};
}

}  // namespace

Result<GgufLayout> lay_out_gguf(const Metadata& metadata,
                                const std::vector<TensorToWrite>& tensors) {
  GgufLayout out;
  out.alignment = TRY(alignment_of(metadata));
  TRY(place(out, tensors));
  out.header = "GGUF";
  put<uint32_t>(out.header, 3);
  put<uint64_t>(out.header, tensors.size());
  put<uint64_t>(out.header, metadata.pairs().size());
  for (const auto& [key, value] : metadata.pairs()) {
    if (key.empty() || key.size() > kKeyBytesMax || !is_valid_utf8(key))
      return fail(Code::kInvalid, "metadata {}: a key has 1 to {} bytes of UTF-8", quote_name(key),
                  kKeyBytesMax);
    put_string(out.header, key);
    TRY(put_value(out.header, key, value));
  }
  for (size_t i = 0; i < tensors.size(); ++i) {
    put_string(out.header, tensors[i].name);
    put<uint32_t>(out.header, static_cast<uint32_t>(tensors[i].shape.size()));
    for (auto dim = tensors[i].shape.rbegin(); dim != tensors[i].shape.rend(); ++dim)
      put<uint64_t>(out.header, *dim);
    put<uint32_t>(out.header, tensors[i].encoding->gguf_id);
    put<uint64_t>(out.header, out.offsets[i]);
  }
  out.header.resize(round_up<uint64_t>(out.header.size(), out.alignment), '\0');
  out.file_bytes += out.header.size();
  return out;
}

}  // namespace hearth
