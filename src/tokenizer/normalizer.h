// Normalizer: what is done to a text before it is cut and merged: replacements, a prefix, Unicode
// normal forms. Immutable once made. Bytes that are no UTF-8 pass through every step unchanged.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tokenizer/regex.h"

namespace hearth {

class Normalizer {
 public:
  // From the member "normalizer" of a tokenizer.json; null makes one that does nothing.
  // kUnsupported names the kind that we lack.
  static Result<Normalizer> from_json(const Json& json);

  void add_prepend(std::string text);                 // in front of every text that is not empty
  void add_replace(std::string from, std::string to);  // a literal

  bool empty() const { return steps_.empty(); }
  std::string run(std::string_view text, RegexScratch& scratch) const;

  static constexpr size_t kStepsMax = 32;

 private:
  struct Step {
    enum class Kind : uint8_t {
      kPrepend, kReplace, kReplacePattern, kNfc, kNfd, kNfkc, kNfkd, kLowercase, kStrip,
    } kind;
    std::string from, to;
    std::optional<Regex> pattern;
    bool left = false, right = false;
  };
  Result<void> add(const Json& json, int depth);
  static std::string apply(const Step& step, std::string_view text, RegexScratch& scratch);

  std::vector<Step> steps_;
};

}  // namespace hearth
