#include "container/gguf.h"

#include <fmt/format.h>

#include <bit>
#include <utility>

#include "base/math.h"
#include "base/reader.h"
#include "base/utf8.h"
#include "container/limits.h"
#include "container/quote.h"

namespace hearth {
namespace {

// What the smallest key (length, one byte, type, one byte) and the smallest tensor (length, one
// byte, dimension count, type, offset) take in a file.
constexpr uint64_t kPairBytesMin = 8 + 1 + 4 + 1;
constexpr uint64_t kTensorBytesMin = 8 + 1 + 4 + 4 + 8;

// Reads one header from front to back. `label` says in words which field is read; offsets in
// errors are those of the field itself.
class HeaderParser {
 public:
  HeaderParser(std::shared_ptr<const ByteSource> source, uint32_t part, const GgufTrace& trace)
      : source_(std::move(source)), in_(*source_), trace_(trace), part_(part) {}

  Result<GgufPart> parse();

 private:
  template <class... Args>
  std::unexpected<Error> bad(Code code, std::string_view label,
                             fmt::format_string<Args...> format, Args&&... args) const {
    return bad_at(at_, code, label, format, std::forward<Args>(args)...);
  }
  template <class... Args>
  std::unexpected<Error> bad_at(uint64_t offset, Code code, std::string_view label,
                                fmt::format_string<Args...> format, Args&&... args) const {
    return fail(code, "{}: {} at offset {}: {}", source_->name(), label, offset,
                fmt::format(format, std::forward<Args>(args)...));
  }

  void note(GgufField field, uint64_t bytes) const {
    if (trace_) trace_({field, at_, bytes});
  }
  template <class T>
  Result<T> field(GgufField kind, std::string_view label) {
    at_ = in_.position();
    T value = TRY(in_.read<T>(label));
    note(kind, sizeof value);
    return value;
  }
  Result<void> charge(uint64_t bytes, std::string_view label);
  Result<void> need_items(uint64_t count, uint64_t count_max, uint64_t item_bytes_min,
                          std::string_view label);
  Result<std::string_view> string(std::string_view label, uint64_t bytes_max);
  Result<std::string> name(std::string_view label, uint64_t bytes_max);

  Result<void> magic();
  std::unexpected<Error> wrong_magic(std::string_view magic) const;
  Result<uint32_t> version();
  Result<void> metadata(uint64_t count);
  Result<MetaType> type(std::string_view label);
  Result<MetaValue> value(std::string_view label);
  template <class Stored, class Kept>
  Result<MetaValue> scalar(MetaType type, std::string_view label);
  Result<MetaArray> array(std::string_view label);
  Result<void> array_strings(MetaArray& out, std::string_view label);
  Result<void> alignment();
  Result<void> tensors(uint64_t count);
  Result<TensorInfo> tensor(uint64_t index);
  Result<std::vector<uint64_t>> shape(std::string_view label);
  Result<void> encoding(TensorInfo& out, std::string_view label);
  Result<void> place_tensors();

  std::shared_ptr<const ByteSource> source_;
  Reader in_;
  const GgufTrace& trace_;
  uint32_t part_;
  uint64_t at_ = 0;  // where the last field began
  uint64_t budget_ = kHeaderBudget;
  GgufPart out_;
  std::vector<uint64_t> offset_fields_;  // where each tensor's offset stands, for errors
};

Result<GgufPart> HeaderParser::parse() {
  TRY(magic());
  out_.version = TRY(version());
  uint64_t tensor_count = TRY(field<uint64_t>(GgufField::kCount, "tensor count"));
  if (tensor_count > kTensorsMax)
    return bad(Code::kTooLarge, "tensor count", "{} is more than {}", tensor_count, kTensorsMax);
  uint64_t pair_count = TRY(field<uint64_t>(GgufField::kCount, "key count"));
  TRY(metadata(pair_count));
  TRY(alignment());
  TRY(tensors(tensor_count));
  TRY(place_tensors());
  out_.metadata.keep_alive(source_);
  return std::move(out_);
}

Result<void> HeaderParser::charge(uint64_t bytes, std::string_view label) {
  if (bytes > budget_)
    return bad(Code::kTooLarge, label, "the header needs more than {} MiB of memory",
               kHeaderBudget >> 20);
  budget_ -= bytes;
  return {};
}

Result<void> HeaderParser::need_items(uint64_t count, uint64_t count_max, uint64_t item_bytes_min,
                                      std::string_view label) {
  if (count > count_max)
    return bad(Code::kTooLarge, label, "{} is more than {}", count, count_max);
  return in_.need_items(count, item_bytes_min, label);
}

Result<std::string_view> HeaderParser::string(std::string_view label, uint64_t bytes_max) {
  uint64_t length = TRY(field<uint64_t>(GgufField::kLength, label));
  if (length > in_.remaining())
    return bad(Code::kCorrupt, label, "a string of {} bytes, and {} bytes are left", length,
               in_.remaining());
  if (length > bytes_max)
    return bad(Code::kCorrupt, label, "a string of {} bytes, at most {} are allowed", length,
               bytes_max);
  at_ = in_.position();
  auto text = TRY(in_.text(length, label));
  note(GgufField::kText, length);
  return text;
}

Result<std::string> HeaderParser::name(std::string_view label, uint64_t bytes_max) {
  auto text = TRY(string(label, bytes_max));
  if (text.empty()) return bad(Code::kCorrupt, label, "is empty");
  if (!is_valid_utf8(text)) return bad(Code::kCorrupt, label, "{} is not UTF-8", quote_name(text));
  return std::string(text);
}

Result<void> HeaderParser::magic() {
  if (source_->size() == 0)
    return fail(Code::kCorrupt, "{}: magic at offset 0: the file is empty", source_->name());
  at_ = in_.position();
  auto text = TRY(in_.text(4, "magic"));
  if (text != "GGUF") return wrong_magic(text);
  note(GgufField::kMagic, text.size());
  return {};
}

std::unexpected<Error> HeaderParser::wrong_magic(std::string_view magic) const {
  if (magic == "vers")
    return bad(Code::kCorrupt, "magic",
               "this looks like a Git LFS pointer; fetch the file that it points to");
  // The formats before GGUF; their magic numbers were written as integers, hence reversed.
  if (magic == "lmgg" || magic == "fmgg" || magic == "tjgg" || magic == "algg")
    return bad(Code::kUnsupported, "magic",
               "a ggml file from before GGUF; convert the original model again");
  return bad(Code::kCorrupt, "magic", "{} is not 'GGUF'", quote_name(magic));
}

Result<uint32_t> HeaderParser::version() {
  uint32_t version = TRY(field<uint32_t>(GgufField::kVersion, "version"));
  if (version == 2 || version == 3) return version;
  if (version != 0 && (version & 0xFFFF) == 0)
    return bad(Code::kUnsupported, "version",
               "the file is big-endian (version {}); only little-endian GGUF can be read",
               std::byteswap(version));
  return bad(Code::kUnsupported, "version", "{} cannot be read, only 2 and 3", version);
}

Result<void> HeaderParser::metadata(uint64_t count) {
  TRY(need_items(count, kPairsMax, kPairBytesMin, "key count"));
  for (uint64_t i = 0; i < count; ++i) {
    std::string key = TRY(name(fmt::format("key {}", i), kKeyBytesMax));
    uint64_t key_at = at_;
    TRY(charge(2 * key.size() + sizeof(Metadata::Pair), key));
    MetaValue parsed = TRY(value(fmt::format("metadata {}", quote_name(key))));
    auto added = out_.metadata.add(std::move(key), std::move(parsed));
    if (!added)
      return bad_at(key_at, added.error().code, fmt::format("key {}", i), "{}",
                    added.error().message);
  }
  return {};
}

Result<MetaType> HeaderParser::type(std::string_view label) {
  uint32_t number = TRY(field<uint32_t>(GgufField::kType, label));
  if (number >= kMetaTypes) return bad(Code::kCorrupt, label, "unknown value type {}", number);
  return static_cast<MetaType>(number);
}

template <class Stored, class Kept>
Result<MetaValue> HeaderParser::scalar(MetaType type, std::string_view label) {
  return MetaValue{type, static_cast<Kept>(TRY(field<Stored>(GgufField::kValue, label)))};
}

Result<MetaValue> HeaderParser::value(std::string_view label) {
  MetaType kind = TRY(type(label));
  switch (kind) {
    case MetaType::kU8: return scalar<uint8_t, uint64_t>(kind, label);
    case MetaType::kI8: return scalar<int8_t, int64_t>(kind, label);
    case MetaType::kU16: return scalar<uint16_t, uint64_t>(kind, label);
    case MetaType::kI16: return scalar<int16_t, int64_t>(kind, label);
    case MetaType::kU32: return scalar<uint32_t, uint64_t>(kind, label);
    case MetaType::kI32: return scalar<int32_t, int64_t>(kind, label);
    case MetaType::kU64: return scalar<uint64_t, uint64_t>(kind, label);
    case MetaType::kI64: return scalar<int64_t, int64_t>(kind, label);
    case MetaType::kF32: return scalar<float, double>(kind, label);
    case MetaType::kF64: return scalar<double, double>(kind, label);
    case MetaType::kBool: {
      uint8_t flag = TRY(field<uint8_t>(GgufField::kValue, label));
      if (flag > 1) return bad(Code::kCorrupt, label, "a bool must be 0 or 1, not {}", flag);
      return MetaValue{kind, flag == 1};
    }
    case MetaType::kString: {
      auto text = TRY(string(label, kHeaderBudget));
      TRY(charge(text.size(), label));
      return MetaValue{kind, std::string(text)};
    }
    case MetaType::kArray: return MetaValue{kind, TRY(array(label))};
  }
  return bad(Code::kCorrupt, label, "unknown value type");
}

Result<MetaArray> HeaderParser::array(std::string_view label) {
  MetaArray out;
  out.item = TRY(type(label));
  if (out.item == MetaType::kArray)
    return bad(Code::kUnsupported, label, "an array of arrays");
  out.count = TRY(field<uint64_t>(GgufField::kCount, label));
  if (out.item == MetaType::kString) {
    TRY(array_strings(out, label));
    return out;
  }
  TRY(in_.need_items(out.count, size_of(out.item), label));
  at_ = in_.position();
  out.raw = TRY(in_.bytes(out.count * size_of(out.item), label));
  note(GgufField::kItems, out.raw.size());
  return out;
}

Result<void> HeaderParser::array_strings(MetaArray& out, std::string_view label) {
  TRY(in_.need_items(out.count, sizeof(uint64_t), label));  // hence the product fits
  TRY(charge(out.count * sizeof(std::string_view), label));
  out.strings.reserve(out.count);
  if (!trace_) in_.mapped_texts(out.count, out.strings);
  while (out.strings.size() < out.count)
    out.strings.push_back(TRY(string(label, UINT64_MAX)));
  return {};
}

Result<void> HeaderParser::alignment() {
  constexpr std::string_view kKey = "general.alignment";
  auto value = out_.metadata.uint(kKey, kAlignmentDefault);
  if (!value) return std::unexpected(with_context(std::move(value).error(), source_->name()));
  if (!std::has_single_bit(*value) || *value < kAlignmentMin || *value > kAlignmentMax)
    return fail(Code::kCorrupt, "{}: metadata '{}' is {}, not a power of two from {} to {}",
                source_->name(), kKey, *value, kAlignmentMin, kAlignmentMax);
  out_.alignment = *value;
  return {};
}

Result<void> HeaderParser::tensors(uint64_t count) {
  at_ = in_.position();
  TRY(need_items(count, kTensorsMax, kTensorBytesMin, "tensor count"));
  TRY(charge(count * (sizeof(TensorInfo) + sizeof(uint64_t)), "tensor count"));
  out_.tensors.reserve(count);
  offset_fields_.reserve(count);
  for (uint64_t i = 0; i < count; ++i) out_.tensors.push_back(TRY(tensor(i)));
  return {};
}

Result<TensorInfo> HeaderParser::tensor(uint64_t index) {
  TensorInfo out;
  out.part = part_;
  out.name = TRY(name(fmt::format("name of tensor {}", index), kNameBytesMax));
  std::string label = fmt::format("tensor {}", quote_name(out.name));
  TRY(charge(2 * out.name.size(), label));
  out.shape = TRY(shape(label + " shape"));
  TRY(encoding(out, label + " type"));
  label += " offset";
  out.offset = TRY(field<uint64_t>(GgufField::kOffset, label));
  offset_fields_.push_back(at_);
  if (out.offset % out_.alignment != 0)
    return bad(Code::kCorrupt, label, "{} is not a multiple of the alignment {}", out.offset,
               out_.alignment);
  return out;
}

// Outermost dimension first; the product of all is known to fit in 64 bits afterwards.
Result<std::vector<uint64_t>> HeaderParser::shape(std::string_view label) {
  uint32_t count = TRY(field<uint32_t>(GgufField::kCount, label));
  if (count > kDimsMax)
    return bad(Code::kCorrupt, label, "{} dimensions, at most {} are allowed", count, kDimsMax);
  std::vector<uint64_t> out(count);
  uint64_t elems = 1;
  for (uint32_t i = 0; i < count; ++i) {
    uint64_t dim = TRY(field<uint64_t>(GgufField::kDim, label));
    if (dim == 0) return bad(Code::kCorrupt, label, "dimension {} is 0", i);
    auto product = checked_mul(elems, dim);
    if (!product || *product > INT64_MAX)
      return bad(Code::kCorrupt, label, "dimension {} of {} makes more elements than 2^63", i, dim);
    elems = *product;
    out[count - 1 - i] = dim;
  }
  return out;
}

Result<void> HeaderParser::encoding(TensorInfo& out, std::string_view label) {
  uint32_t number = TRY(field<uint32_t>(GgufField::kType, label));
  out.encoding = find_encoding(number);
  if (out.encoding == nullptr)
    return bad(Code::kUnsupported, label, "unknown encoding number {}", number);
  uint64_t block = out.encoding->block_elems;
  if (out.row_elems() % block != 0)
    return bad(Code::kCorrupt, label, "rows of {} values are no whole {} blocks of {}",
               out.row_elems(), out.encoding->name, block);
  auto bytes = checked_mul<uint64_t>(out.elems() / block, out.encoding->block_bytes);
  if (!bytes) return bad(Code::kCorrupt, label, "{} takes more than 2^64 bytes", out.shape_text());
  out.bytes = *bytes;
  return {};
}

// Offsets in the file count from the beginning of the data; ours from that of the file.
Result<void> HeaderParser::place_tensors() {
  out_.header_bytes = in_.position();
  out_.data_begin = round_up(out_.header_bytes, out_.alignment);
  for (size_t i = 0; i < out_.tensors.size(); ++i) {
    TensorInfo& tensor = out_.tensors[i];
    auto begin = checked_add(tensor.offset, out_.data_begin);
    auto end = begin ? checked_add(*begin, tensor.bytes) : std::nullopt;
    if (!end || *end > source_->size())
      return bad_at(offset_fields_[i], Code::kCorrupt,
                    fmt::format("tensor {} offset", quote_name(tensor.name)),
                    "{} bytes of data from {} after {} reach beyond the end of the file "
                    "({} bytes); is it complete?",
                    tensor.bytes, tensor.offset, out_.data_begin, source_->size());
    tensor.offset = *begin;
  }
  return {};
}

}  // namespace

Result<GgufPart> parse_gguf(const std::shared_ptr<const ByteSource>& source, uint32_t part,
                            const GgufTrace& trace) {
  if (source->mapped().empty() && source->size() != 0)
    return fail(Code::kUnsupported, "{}: models can only be opened where they lie in memory",
                source->name());
  return HeaderParser(source, part, trace).parse();
}

}  // namespace hearth
