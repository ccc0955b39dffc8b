// Unicode's normal forms, by ICU.
#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "base/utf8.h"
#include "tokenizer/normalizer_step.h"
#include "tokenizer/valid_parts.h"

namespace hearth {
namespace {

bool is_ascii(std::string_view text) {
  unsigned all = 0;
  for (const char c : text) all |= static_cast<uint8_t>(c);
  return all < 0x80;
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

size_t count_characters(std::string_view text) {
  size_t count = 0;
  for (size_t at = 0; at < text.size(); ++count) at += decode_utf8(text, at).bytes;
  return count;
}

size_t bytes_of_characters(std::string_view text, size_t count) {
  size_t at = 0;
  for (; count > 0 && at < text.size(); --count) at += decode_utf8(text, at).bytes;
  return at;
}

class NormalFormStep final : public NormalizerStep {
 public:
  explicit NormalFormStep(const icu::Normalizer2* form) : form_(form) {}

  NormalText run(NormalText in, RegexScratch&) const override {
    if (is_ascii(in.text)) return in;
    NormalText out;
    for_valid_parts(in.text, [&](std::string_view part, bool valid) {
      out.text += valid ? normal_form(part, form_) : std::string(part);
    });
    // A character that is joined to what follows still counts as the first.
    const std::string_view lead = std::string_view(in.text).substr(0, in.lead);
    const size_t count = count_characters(is_valid_utf8(lead) ? normal_form(lead, form_)
                                                              : std::string(lead));
    out.lead = bytes_of_characters(out.text, count);
    return out;
  }

 private:
  const icu::Normalizer2* form_;
};

}  // namespace

NormalizerStepPtr make_normal_form_step(NormalForm form) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* found = nullptr;
  switch (form) {
    case NormalForm::kNfc: found = icu::Normalizer2::getNFCInstance(error); break;
    case NormalForm::kNfd: found = icu::Normalizer2::getNFDInstance(error); break;
    case NormalForm::kNfkc: found = icu::Normalizer2::getNFKCInstance(error); break;
    case NormalForm::kNfkd: found = icu::Normalizer2::getNFKDInstance(error); break;
  }
  CHECK(U_SUCCESS(error) && found);
  return std::make_unique<const NormalFormStep>(found);
}

}  // namespace hearth
