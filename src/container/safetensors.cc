#include "container/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <tuple>

#include "base/json.h"
#include "base/math.h"
#include "base/reader.h"
#include "container/limits.h"
#include "container/quote.h"

namespace hearth {
namespace {

enum class Use { kRead, kSkip, kRefuse };

// The types of the format. Integers are kept out: what float models store in them are helpers.
// Floats that no encoding expresses are refused, since dropping weights would be silent damage.
struct Dtype {
  std::string_view name;
  uint32_t bits;
  Use use;
};

constexpr Dtype kDtypes[] = {
    {"F32", 32, Use::kRead},       {"F16", 16, Use::kRead},      {"BF16", 16, Use::kRead},
    {"BOOL", 8, Use::kSkip},       {"U8", 8, Use::kSkip},        {"I8", 8, Use::kSkip},
    {"U16", 16, Use::kSkip},       {"I16", 16, Use::kSkip},      {"U32", 32, Use::kSkip},
    {"I32", 32, Use::kSkip},       {"U64", 64, Use::kSkip},      {"I64", 64, Use::kSkip},
    {"F64", 64, Use::kRefuse},     {"C64", 64, Use::kRefuse},    {"F8_E4M3", 8, Use::kRefuse},
    {"F8_E5M2", 8, Use::kRefuse},  {"F8_E8M0", 8, Use::kRefuse}, {"F4", 4, Use::kRefuse},
    {"F6_E2M3", 6, Use::kRefuse},  {"F6_E3M2", 6, Use::kRefuse},
};

const Dtype* find_dtype(std::string_view name) {
  const auto* it = std::ranges::find(kDtypes, name, &Dtype::name);
  return it == std::end(kDtypes) ? nullptr : it;
}

// A tensor of any type with its range, counted from the beginning of the data.
struct Entry {
  TensorInfo info;
  const Dtype* dtype = nullptr;
};

class HeaderParser {
 public:
  HeaderParser(const ByteSource& source, uint32_t part) : source_(source), part_(part) {}

  Result<SafetensorsPart> parse();

 private:
  template <class... Args>
  std::unexpected<Error> bad(Code code, std::string_view field,
                             fmt::format_string<Args...> format, Args&&... args) const {
    return fail(code, "{}: {} in the header at offset 8: {}", source_.name(), field,
                fmt::format(format, std::forward<Args>(args)...));
  }

  Result<Json> header();
  Result<void> metadata(const Json& value);
  Result<Entry> entry(const std::string& name, const Json& value);
  Result<std::vector<uint64_t>> shape(std::string_view label, const Json& value);
  Result<void> range(std::string_view label, const Json& value, TensorInfo& out);
  Result<void> check_cover();
  Result<void> sort_out();

  const ByteSource& source_;
  uint32_t part_;
  uint64_t data_begin_ = 0;
  std::vector<Entry> entries_;
  SafetensorsPart out_;
};

std::optional<uint64_t> natural(const Json& value) {
  if (!value.is_int() || value.as_int() < 0) return std::nullopt;
  return static_cast<uint64_t>(value.as_int());
}

Result<SafetensorsPart> HeaderParser::parse() {
  Json document = TRY(header());
  if (document.as_object().size() > kTensorsMax)
    return bad(Code::kTooLarge, "tensor count", "more than {}", kTensorsMax);
  entries_.reserve(document.as_object().size());
  for (const auto& [name, value] : document.as_object()) {
    if (name == "__metadata__")
      TRY(metadata(value));
    else
      entries_.push_back(TRY(entry(name, value)));
  }
  std::ranges::sort(entries_, {}, [](const Entry& entry) {
    return std::tie(entry.info.offset, entry.info.bytes, entry.info.name);
  });
  TRY(check_cover());
  TRY(sort_out());
  return std::move(out_);
}

Result<Json> HeaderParser::header() {
  Reader in(source_);
  uint64_t length = TRY(in.read<uint64_t>("header length"));
  auto bad_length = [&](std::string_view what) {
    return fail(Code::kCorrupt, "{}: header length at offset 0: {} {}", source_.name(), length,
                what);
  };
  if (length > kJsonHeaderBytesMax) return bad_length("is more than the format's 100,000,000");
  if (length > in.remaining()) return bad_length("reaches beyond the end of the file");
  auto text = TRY(in.text(length, "header"));
  if (!text.starts_with('{')) return bad(Code::kCorrupt, "header", "does not begin with '{{'");
  if (auto size = check_json_size(text); !size)
    return bad(size.error().code, "header", "{}", size.error().message);
  auto document = Json::parse(text);
  if (!document) return bad(document.error().code, "header", "{}", document.error().message);
  if (!document->is_object()) return bad(Code::kCorrupt, "header", "is no object");
  data_begin_ = in.position();
  return document;
}

Result<void> HeaderParser::metadata(const Json& value) {
  if (!value.is_object()) return bad(Code::kCorrupt, "__metadata__", "is no object");
  if (!out_.metadata.empty()) return bad(Code::kCorrupt, "__metadata__", "is there twice");
  for (const auto& [key, text] : value.as_object()) {
    if (!text.is_string())
      return bad(Code::kCorrupt, fmt::format("__metadata__ {}", quote_name(key)),
                 "is {}, not a string", text.kind());
    out_.metadata.emplace_back(key, text.as_string());
  }
  return {};
}

Result<Entry> HeaderParser::entry(const std::string& name, const Json& value) {
  std::string label = fmt::format("tensor {}", quote_name(name));
  if (name.empty() || name.size() > kNameBytesMax)
    return bad(Code::kCorrupt, label, "names have 1 to {} bytes", kNameBytesMax);
  if (!value.is_object()) return bad(Code::kCorrupt, label, "is {}, not an object", value.kind());
  if (value.as_object().size() != 3)
    return bad(Code::kCorrupt, label, "must have dtype, shape and data_offsets and nothing else");
  const Json& dtype = value["dtype"];
  if (!dtype.is_string())
    return bad(Code::kCorrupt, label + " dtype", "is {}, not a string", dtype.kind());
  Entry out;
  out.dtype = find_dtype(dtype.as_string());
  if (out.dtype == nullptr)
    return bad(Code::kUnsupported, label + " dtype", "unknown type {}",
               quote_name(dtype.as_string()));
  out.info.name = name;
  out.info.part = part_;
  out.info.shape = TRY(shape(label + " shape", value["shape"]));
  TRY(range(label + " data_offsets", value["data_offsets"], out.info));
  auto bits = checked_mul<uint64_t>(out.info.elems(), out.dtype->bits);
  if (!bits || *bits % 8 != 0 || *bits / 8 != out.info.bytes)
    return bad(Code::kCorrupt, label + " data_offsets", "{} bytes do not hold {} of {}",
               out.info.bytes, out.info.shape_text(), out.dtype->name);
  return out;
}

Result<std::vector<uint64_t>> HeaderParser::shape(std::string_view label, const Json& value) {
  if (!value.is_array()) return bad(Code::kCorrupt, label, "is {}, not an array", value.kind());
  if (value.as_array().size() > kSafetensorsDimsMax)
    return bad(Code::kCorrupt, label, "{} dimensions, at most {} are allowed",
               value.as_array().size(), kSafetensorsDimsMax);
  std::vector<uint64_t> out;
  uint64_t elems = 1;
  for (const Json& item : value.as_array()) {
    auto dim = natural(item);
    if (!dim) return bad(Code::kCorrupt, label, "dimension {} is no natural number", out.size());
    // A 0 must not hide an overflow in what comes before or after it.
    auto product = checked_mul(elems, std::max<uint64_t>(*dim, 1));
    if (!product || *product > INT64_MAX)
      return bad(Code::kCorrupt, label, "dimension {} of {} makes more elements than 2^63",
                 out.size(), *dim);
    elems = *product;
    out.push_back(*dim);
  }
  return out;
}

Result<void> HeaderParser::range(std::string_view label, const Json& value, TensorInfo& out) {
  if (!value.is_array() || value.as_array().size() != 2)
    return bad(Code::kCorrupt, label, "is no pair of offsets");
  auto begin = natural(value.as_array()[0]), end = natural(value.as_array()[1]);
  if (!begin || !end) return bad(Code::kCorrupt, label, "are no natural numbers");
  uint64_t data_bytes = source_.size() - data_begin_;
  if (*begin > *end || *end > data_bytes)
    return bad(Code::kCorrupt, label, "[{}, {}) do not lie in the {} bytes of data after {}; "
               "is the file complete?", *begin, *end, data_bytes, data_begin_);
  out.offset = *begin;
  out.bytes = *end - *begin;
  return {};
}

Result<void> HeaderParser::check_cover() {
  uint64_t covered = 0;
  for (const Entry& entry : entries_) {
    if (entry.info.offset != covered)
      return bad(Code::kCorrupt, fmt::format("tensor {} data_offsets", quote_name(entry.info.name)),
                 "the data begin at {}, {} {}: {}", entry.info.offset,
                 "but that before ends at", covered,
                 entry.info.offset < covered ? "they overlap" : "there is a hole");
    covered += entry.info.bytes;
  }
  uint64_t data_bytes = source_.size() - data_begin_;
  if (covered != data_bytes)
    return bad(Code::kCorrupt, "data_offsets", "{} bytes of data belong to tensors, {} are there",
               covered, data_bytes);
  return {};
}

Result<void> HeaderParser::sort_out() {
  for (Entry& entry : entries_) {
    if (entry.dtype->use == Use::kRefuse)
      return bad(Code::kUnsupported, fmt::format("tensor {} dtype", quote_name(entry.info.name)),
                 "numbers of type {} cannot be read", entry.dtype->name);
    if (entry.dtype->use == Use::kSkip || entry.info.bytes == 0) {
      out_.skipped.push_back({entry.info.name, std::string(entry.dtype->name)});
      continue;
    }
    entry.info.encoding = find_encoding(entry.dtype->name);
    if (entry.info.encoding == nullptr)
      return bad(Code::kUnsupported, "dtype", "no encoding is named {}", entry.dtype->name);
    entry.info.offset += data_begin_;
    out_.tensors.push_back(std::move(entry.info));
  }
  return {};
}

}  // namespace

Result<void> check_json_size(std::string_view text) {
  // Each value but the first follows one of these; those inside strings only make it stricter.
  auto values =
      std::ranges::count_if(text, [](char c) { return c == ',' || c == '[' || c == '{'; });
  if (static_cast<uint64_t>(values) > kJsonValuesMax)
    return fail(Code::kTooLarge, "has more than {} values", kJsonValuesMax);
  return {};
}

Result<SafetensorsPart> parse_safetensors(const ByteSource& source, uint32_t part) {
  if (source.mapped().empty() && source.size() != 0)
    return fail(Code::kUnsupported, "{}: models can only be opened where they lie in memory",
                source.name());
  return HeaderParser(source, part).parse();
}

}  // namespace hearth
