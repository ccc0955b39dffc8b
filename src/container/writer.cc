#include "container/writer.h"

#include <algorithm>
#include <numeric>
#include <unordered_set>

#include "base/file.h"
#include "base/json.h"
#include "base/math.h"
#include "base/utf8.h"
#include "container/gguf_layout.h"
#include "container/limits.h"
#include "container/quote.h"

namespace hearth {
namespace {

// Pulls one tensor into `buffer` and appends it to the file.
Result<void> write_tensor(AtomicFile& file, const TensorToWrite& tensor, uint64_t bytes,
                          std::vector<std::byte>& buffer) {
  buffer.clear();
  TRY(tensor.fill(buffer));
  if (buffer.size() != bytes)
    return fail(Code::kInternal, "tensor {}: {} bytes were filled in instead of {}",
                quote_name(tensor.name), buffer.size(), bytes);
  return file.write(buffer);
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

bool is_float_type(const Encoding* encoding) {
  return encoding == &k_f32 || encoding == &k_f16 || encoding == &k_bf16;
}

Result<uint64_t> safetensors_bytes(const TensorToWrite& tensor) {
  std::string name = quote_name(tensor.name);
  if (tensor.name.empty() || tensor.name.size() > kNameBytesMax || !is_valid_utf8(tensor.name) ||
      tensor.name == "__metadata__")
    return fail(Code::kInvalid, "tensor {}: no name that safetensors can hold", name);
  if (!is_float_type(tensor.encoding))
    return fail(Code::kInvalid, "tensor {}: safetensors hold F32, F16 and BF16 only", name);
  if (tensor.shape.size() > kSafetensorsDimsMax)
    return fail(Code::kInvalid, "tensor {}: {} dimensions, at most {} are allowed", name,
                tensor.shape.size(), kSafetensorsDimsMax);
  uint64_t bytes = tensor.encoding->block_bytes;
  for (uint64_t dim : tensor.shape) {
    auto product = checked_mul(bytes, dim);
    if (dim == 0 || !product || *product > INT64_MAX)
      return fail(Code::kInvalid, "tensor {}: dimension {} is out of range", name, dim);
    bytes = *product;
  }
  return bytes;
}

// One member of the header: "name":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}
void append_entry(std::string& out, const TensorToWrite& tensor, uint64_t begin, uint64_t end) {
  append_json_string(out, tensor.name);
  out += fmt::format(":{{\"dtype\":\"{}\",\"shape\":[", tensor.encoding->name);
  for (size_t i = 0; i < tensor.shape.size(); ++i)
    out += fmt::format("{}{}", i ? "," : "", tensor.shape[i]);
  out += fmt::format("],\"data_offsets\":[{},{}]}}", begin, end);
}

Result<void> append_metadata(std::string& out,
                             const std::vector<std::pair<std::string, std::string>>& metadata) {
  std::unordered_set<std::string_view> keys;
  out += "\"__metadata__\":{";
  for (const auto& [key, text] : metadata) {
    if (!is_valid_utf8(key) || !is_valid_utf8(text) || !keys.insert(key).second)
      return fail(Code::kInvalid, "__metadata__ {}: is there twice or is no UTF-8",
                  quote_name(key));
    if (keys.size() > 1) out += ',';
    append_json_string(out, key);
    out += ':';
    append_json_string(out, text);
  }
  out += '}';
  return {};
}

}  // namespace

Result<void> write_gguf(const std::string& path, const Metadata& metadata,
                        const std::vector<TensorToWrite>& tensors) {
  GgufLayout layout = TRY(lay_out_gguf(metadata, tensors));
  AtomicFile file = TRY(AtomicFile::create(path));
  TRY(file.write(bytes_of(layout.header)));
  std::vector<std::byte> buffer;
  const std::vector<std::byte> zeros(layout.alignment);
  for (size_t i = 0; i < tensors.size(); ++i) {
    TRY(write_tensor(file, tensors[i], layout.bytes[i], buffer));
    uint64_t padding = round_up(layout.bytes[i], layout.alignment) - layout.bytes[i];
    TRY(file.write(std::span(zeros).first(padding)));
  }
  return file.commit();
}

Result<void> write_safetensors(const std::string& path,
                               const std::vector<std::pair<std::string, std::string>>& metadata,
                               const std::vector<TensorToWrite>& tensors) {
  std::vector<uint64_t> bytes;
  std::unordered_set<std::string_view> names;
  for (const TensorToWrite& tensor : tensors) {
    bytes.push_back(TRY(safetensors_bytes(tensor)));
    if (!names.insert(tensor.name).second)
      return fail(Code::kInvalid, "two tensors are named {}", quote_name(tensor.name));
  }
  // Wide types first, so that each value lies at a multiple of its size.
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, [&](size_t a, size_t b) {
    return std::pair(tensors[b].encoding->block_bytes, a) <
           std::pair(tensors[a].encoding->block_bytes, b);
  });

  std::string header = "{";
  if (!metadata.empty()) TRY(append_metadata(header, metadata));
  uint64_t end = 0;
  for (size_t i : order) {
    auto next = checked_add(end, bytes[i]);
    if (!next || *next > INT64_MAX) return fail(Code::kInvalid, "the file would be too large");
    if (header.size() > 1) header += ',';
    append_entry(header, tensors[i], end, *next);
    end = *next;
  }
  header += '}';
  header.resize(round_up<uint64_t>(header.size(), 8), ' ');
  if (header.size() > kJsonHeaderBytesMax)
    return fail(Code::kInvalid, "{}: the header would be too large", path);

  AtomicFile file = TRY(AtomicFile::create(path));
  uint64_t length = header.size();
  TRY(file.write(std::as_bytes(std::span(&length, 1))));
  TRY(file.write(bytes_of(header)));
  std::vector<std::byte> buffer;
  for (size_t i : order) TRY(write_tensor(file, tensors[i], bytes[i], buffer));
  return file.commit();
}

}  // namespace hearth
