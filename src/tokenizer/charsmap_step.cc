// The normalizer "Precompiled": a Charsmap, which a tokenizer.json holds in base64.
#include <algorithm>

#include "base/utf8.h"
#include "tokenizer/charsmap.h"
#include "tokenizer/normalizer_step.h"

namespace hearth {
namespace {

int value_of(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

// RFC 4648 with its padding.
Result<std::string> from_base64(std::string_view text) {
  std::string out;
  if (text.size() % 4 != 0)
    return fail(Code::kCorrupt, "precompiled_charsmap: {} characters are no base64", text.size());
  while (text.ends_with('=')) text.remove_suffix(1);
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int value = value_of(c);
    if (value < 0) return fail(Code::kCorrupt, "precompiled_charsmap is no base64");
    bits = bits << 6 | static_cast<uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out.push_back(static_cast<char>(bits >> count & 0xFF));
  }
  return out;
}

class CharsmapStep final : public NormalizerStep {
 public:
  explicit CharsmapStep(Charsmap map) : map_(std::move(map)) {}

  NormalText run(NormalText in, RegexScratch&) const override {
    const std::string_view text = in.text;
    NormalText out{map_.normalize_graphemes(text)};
    if (in.lead == 0 || out.text.empty()) return out;
    // The first character's share: exact unless it is part of a longer cluster with a rule. Where
    // nothing is left of it, the reference takes what comes next for the first.
    out.lead = map_.normalize_graphemes(text.substr(0, in.lead)).size();
    if (out.lead == 0) out.lead = decode_utf8(out.text, 0).bytes;
    out.lead = std::min(out.lead, out.text.size());
    return out;
  }

 private:
  Charsmap map_;
};

}  // namespace

Result<NormalizerStepPtr> make_charsmap_step(std::string_view base64) {
  const std::string bytes = TRY(from_base64(base64));
  return std::make_unique<const CharsmapStep>(TRY(Charsmap::parse(bytes)));
}

}  // namespace hearth
