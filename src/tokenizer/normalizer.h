// Normalizer: what is done to a text before it is cut and merged: replacements, a prefix, Unicode
// normal forms, the cleaning that BERT does. A list of steps (normalizer_step.h), immutable once
// made. Bytes that are no UTF-8 pass through every step unchanged.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tokenizer/normalizer_step.h"
#include "tokenizer/regex.h"

namespace hearth {

class Normalizer {
 public:
  // From the member "normalizer" of a tokenizer.json; null makes one that does nothing.
  // kUnsupported names the kind that we lack.
  static Result<Normalizer> from_json(const Json& json);

  void add(NormalizerStepPtr step) { steps_.push_back(std::move(step)); }
  void add_prepend(std::string text);                 // in front of every text that is not empty
  void add_replace(std::string from, std::string to);  // a literal

  bool empty() const { return steps_.empty(); }
  std::string run(std::string_view text, RegexScratch& scratch) const;
  // The same, with the bytes at the front that stem from the first character of `text`.
  NormalText run_with_lead(std::string_view text, RegexScratch& scratch) const;

  static constexpr size_t kStepsMax = 32;

 private:
  Result<void> add_json(const Json& json, int depth);

  std::vector<NormalizerStepPtr> steps_;
};

}  // namespace hearth
