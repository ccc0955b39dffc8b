#include "tokenizer/normalizer.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>

#include "base/check.h"
#include "base/utf8.h"

namespace hearth {
namespace {

bool is_ascii(std::string_view text) {
  unsigned all = 0;
  for (const char c : text) all |= static_cast<uint8_t>(c);
  return all < 0x80;
}

// Calls `run` for each stretch of valid UTF-8 and copies the other bytes.
template <class Run>
std::string over_valid(std::string_view text, Run&& run) {
  if (is_valid_utf8(text)) return run(text);
  std::string out;
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    const bool valid = decode_utf8(text, at).valid;
    while (end < text.size()) {
      const Decoded decoded = decode_utf8(text, end);
      if (decoded.valid != valid) break;
      end += decoded.bytes;
    }
    const std::string_view piece = text.substr(at, end - at);
    out += valid ? run(piece) : std::string(piece);
    at = end;
  }
  return out;
}

bool is_mark(char32_t code) {
  return code >= 0x300 && u_getIntPropertyValue(static_cast<UChar32>(code),
                                                UCHAR_LEAD_CANONICAL_COMBINING_CLASS) != 0;
}

// Appends combining marks, decomposed and in the canonical order.
void append_ordered_marks(std::string& out, std::string_view marks) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* nfd = icu::Normalizer2::getNFDInstance(error);
  CHECK(U_SUCCESS(error));
  std::vector<std::pair<uint8_t, char32_t>> ordered;
  const auto add = [&](UChar32 code) {
    ordered.emplace_back(u_getCombiningClass(code), static_cast<char32_t>(code));
  };
  icu::UnicodeString parts;
  for (size_t at = 0; at < marks.size();) {
    const Decoded c = decode_utf8(marks, at);
    at += c.bytes;
    const auto code = static_cast<UChar32>(c.code);
    if (!nfd->getDecomposition(code, parts)) {
      add(code);
      continue;
    }
    for (int32_t i = 0; i < parts.length(); i = parts.moveIndex32(i, 1)) add(parts.char32At(i));
  }
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [order, code] : ordered) append_utf8(out, code);
}

// The same text to every normal form, with long runs of combining marks put in order: ICU sorts
// them by insertion, in time that grows with the square of the run.
std::string with_ordered_marks(std::string_view text) {
  constexpr int kLong = 64;
  std::string out;
  size_t copied = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    int count = 0;
    while (at < text.size()) {
      const Decoded c = decode_utf8(text, at);
      if (!is_mark(c.code)) break;
      at += c.bytes;
      ++count;
    }
    if (count > kLong) {
      out += text.substr(copied, begin - copied);
      append_ordered_marks(out, text.substr(begin, at - begin));
      copied = at;
    }
    if (at < text.size()) at += decode_utf8(text, at).bytes;
  }
  return out += text.substr(copied);
}

std::string normal_form(std::string_view original, const icu::Normalizer2* form) {
  const std::string ordered = with_ordered_marks(original);
  std::string_view text = ordered;
  // ICU counts in 32 bits; what is longer goes in blocks, cut where that changes nothing.
  constexpr size_t kBlock = size_t{1} << 28;
  std::string out;
  icu::StringByteSink<std::string> sink(&out);
  while (!text.empty()) {
    size_t end = text.size();
    if (end > kBlock) {
      for (end = kBlock; end > 1; --end) {
        if ((text[end] & 0xC0) == 0x80) continue;
        if (form->hasBoundaryBefore(static_cast<UChar32>(decode_utf8(text, end).code))) break;
      }
    }
    UErrorCode error = U_ZERO_ERROR;
    const std::string_view block = text.substr(0, end);
    form->normalizeUTF8(0, icu::StringPiece(block.data(), static_cast<int32_t>(block.size())),
                        sink, nullptr, error);
    CHECK(U_SUCCESS(error));
    text.remove_prefix(end);
  }
  return out;
}

std::string lowercase(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const Decoded c = decode_utf8(text, at);
    at += c.bytes;
    // The one character whose small form is two.
    if (c.code == 0x130) out += "i\xCC\x87";
    else append_utf8(out, static_cast<char32_t>(u_tolower(static_cast<UChar32>(c.code))));
  }
  return out;
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  size_t at = 0;
  for (size_t found; !from.empty() && (found = text.find(from, at)) != std::string_view::npos;
       at = found + from.size()) {
    out += text.substr(at, found - at);
    out += to;
  }
  return out += text.substr(at);
}

std::string replace_matches(std::string_view text, const Regex& pattern, std::string_view to,
                            RegexScratch& scratch) {
  std::string out;
  size_t at = 0, from = 0;
  while (from <= text.size()) {
    const auto match = pattern.search(text, from, scratch);
    if (!match) break;
    out += text.substr(at, match->begin - at);
    out += to;
    at = from = match->end;
    if (match->begin == match->end)
      from += from < text.size() ? decode_utf8(text, from).bytes : size_t{1};
  }
  return out += text.substr(at);
}

std::string strip(std::string_view text, bool left, bool right) {
  const auto is_space = [](char32_t code) {
    return u_hasBinaryProperty(static_cast<UChar32>(code), UCHAR_WHITE_SPACE);
  };
  const std::vector<char32_t> codes = to_code_points(text);
  size_t begin = 0, end = codes.size();
  while (left && begin < end && is_space(codes[begin])) ++begin;
  while (right && end > begin && is_space(codes[end - 1])) --end;
  std::string out;
  for (size_t i = begin; i < end; ++i) append_utf8(out, codes[i]);
  return out;
}

}  // namespace

void Normalizer::add_prepend(std::string text) {
  steps_.push_back({.kind = Step::Kind::kPrepend, .to = std::move(text)});
}

void Normalizer::add_replace(std::string from, std::string to) {
  steps_.push_back({.kind = Step::Kind::kReplace, .from = std::move(from), .to = std::move(to)});
}

Result<Normalizer> Normalizer::from_json(const Json& json) {
  Normalizer made;
  if (!json.is_null()) TRY(made.add(json, 0));
  return made;
}

Result<void> Normalizer::add(const Json& json, int depth) {
  const std::string type = TRY(json.get_string("type", ""));
  if (steps_.size() >= kStepsMax || depth > 8)
    return fail(Code::kUnsupported, "a normalizer of more than {} steps", kStepsMax);
  if (type == "Sequence") {
    const Json& parts = json["normalizers"];
    if (!parts.is_array()) return fail(Code::kCorrupt, "normalizer Sequence: no array of parts");
    for (const Json& part : parts.as_array()) TRY(add(part, depth + 1));
    return {};
  }
  Step step{.kind = Step::Kind::kNfc};
  if (type == "Prepend") {
    step.kind = Step::Kind::kPrepend;
    step.to = TRY(json.get_string("prepend", ""));
  } else if (type == "Replace") {
    const Json& pattern = json["pattern"];
    step.to = TRY(json.get_string("content", ""));
    if (pattern.find("Regex")) {
      step.kind = Step::Kind::kReplacePattern;
      step.pattern = TRY(Regex::compile(TRY(pattern.get_string("Regex", ""))));
    } else {
      step.kind = Step::Kind::kReplace;
      step.from = TRY(pattern.get_string("String", ""));
    }
  } else if (type == "Strip") {
    step.kind = Step::Kind::kStrip;
    step.left = TRY(json.get_bool("strip_left", true));
    step.right = TRY(json.get_bool("strip_right", true));
  } else if (type == "NFD") {
    step.kind = Step::Kind::kNfd;
  } else if (type == "NFKC") {
    step.kind = Step::Kind::kNfkc;
  } else if (type == "NFKD") {
    step.kind = Step::Kind::kNfkd;
  } else if (type == "Lowercase") {
    step.kind = Step::Kind::kLowercase;
  } else if (type != "NFC") {
    return fail(Code::kUnsupported, "tokenizer.json: normalizer '{}' is not supported", type);
  }
  steps_.push_back(std::move(step));
  return {};
}

std::string Normalizer::apply(const Step& step, std::string_view text, RegexScratch& scratch) {
  using Kind = Step::Kind;
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* form = nullptr;
  switch (step.kind) {
    case Kind::kPrepend:
      return text.empty() ? std::string() : step.to + std::string(text);
    case Kind::kReplace:
      return replace_all(text, step.from, step.to);
    case Kind::kReplacePattern:
      return over_valid(text, [&](std::string_view piece) {
        return replace_matches(piece, *step.pattern, step.to, scratch);
      });
    case Kind::kLowercase:
      return over_valid(text, lowercase);
    case Kind::kStrip:
      return over_valid(text, [&](std::string_view piece) {
        return strip(piece, step.left && piece.data() == text.data(),
                     step.right && piece.end() == text.end());
      });
    case Kind::kNfc: form = icu::Normalizer2::getNFCInstance(error); break;
    case Kind::kNfd: form = icu::Normalizer2::getNFDInstance(error); break;
    case Kind::kNfkc: form = icu::Normalizer2::getNFKCInstance(error); break;
    case Kind::kNfkd: form = icu::Normalizer2::getNFKDInstance(error); break;
  }
  CHECK(U_SUCCESS(error) && form);
  if (is_ascii(text)) return std::string(text);
  return over_valid(text, [&](std::string_view piece) { return normal_form(piece, form); });
}

std::string Normalizer::run(std::string_view text, RegexScratch& scratch) const {
  std::string out(text);
  for (const Step& step : steps_) out = apply(step, out, scratch);
  return out;
}

}  // namespace hearth
