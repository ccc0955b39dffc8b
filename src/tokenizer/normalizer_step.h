// The steps that a Normalizer is made of. Immutable once made; any thread may run one. Bytes that
// are no UTF-8 pass through every step unchanged.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "tokenizer/regex.h"

namespace hearth {

// A text on its way through the steps. `lead` counts the bytes at its front that stem from the
// first character of the original: Metaspace with "first" asks for it.
struct NormalText {
  std::string text;
  size_t lead = 0;
};

// A text that is longer than kGrowthMax and kGrowthRatio times the original meets no further steps
// and no further replacements: files could make a page of one character.
inline constexpr size_t kGrowthMax = size_t{1} << 22, kGrowthRatio = 8;

class NormalizerStep {
 public:
  virtual ~NormalizerStep() = default;
  virtual NormalText run(NormalText in, RegexScratch& scratch) const = 0;
};

using NormalizerStepPtr = std::unique_ptr<const NormalizerStep>;

// What a character becomes: appends it to `out`, or something else, or nothing.
using CharacterRule = void (*)(char32_t code, std::string& out);

NormalizerStepPtr make_character_step(CharacterRule rule);
NormalizerStepPtr make_prepend_step(std::string text);
NormalizerStepPtr make_replace_step(std::string from, std::string to);  // a literal
NormalizerStepPtr make_replace_step(Regex from, std::string to);
NormalizerStepPtr make_strip_step(bool left, bool right);
NormalizerStepPtr make_byte_level_step();
// SentencePiece's table, as Hugging Face applies it. `base64`: its bytes.
Result<NormalizerStepPtr> make_charsmap_step(std::string_view base64);

enum class NormalForm : uint8_t { kNfc, kNfd, kNfkc, kNfkd };
NormalizerStepPtr make_normal_form_step(NormalForm form);

// The rules of Hugging Face's normalizers over single characters.
void lowercase_character(char32_t code, std::string& out);
void drop_marks(char32_t code, std::string& out);              // StripAccents: Mn, Mc, Me
void drop_nonspacing_marks(char32_t code, std::string& out);   // BertNormalizer: Mn
void clean_bert_character(char32_t code, std::string& out);    // controls out, white space to ' '
void space_chinese_character(char32_t code, std::string& out);  // a space on both sides
void clean_nmt_character(char32_t code, std::string& out);

}  // namespace hearth
