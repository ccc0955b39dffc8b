#include "engine/stop.h"

#include <algorithm>
#include <utility>

namespace hearth {

StopFilter::StopFilter(std::span<const std::string> stops) {
  for (const std::string& text : stops) {
    if (text.empty()) continue;
    Pattern pattern{.text = text, .failure = std::vector<uint32_t>(text.size(), 0)};
    uint32_t& matched = pattern.matched;
    for (size_t i = 1; i < text.size(); ++i) {
      step(pattern, text[i]);
      pattern.failure[i] = matched;
    }
    matched = 0;
    patterns_.push_back(std::move(pattern));
  }
}

// `matched` is below the length of the text.
void StopFilter::step(Pattern& pattern, char byte) {
  uint32_t& matched = pattern.matched;
  while (matched > 0 && pattern.text[matched] != byte) matched = pattern.failure[matched - 1];
  if (pattern.text[matched] == byte) ++matched;
}

std::string StopFilter::push(std::string_view text) {
  if (stopped_) return {};
  for (char byte : text) {
    held_ += byte;
    const Pattern* complete = nullptr;
    for (Pattern& pattern : patterns_) {
      step(pattern, byte);
      bool whole = pattern.matched == pattern.text.size();
      if (whole && (complete == nullptr || pattern.text.size() > complete->text.size()))
        complete = &pattern;
    }
    if (complete == nullptr) continue;
    stopped_ = true;
    match_ = complete->text;
    held_.resize(held_.size() - match_.size());
    return std::exchange(held_, {});
  }
  size_t keep = 0;  // the longest end that begins a stop string
  for (const Pattern& pattern : patterns_) keep = std::max<size_t>(keep, pattern.matched);
  std::string out = held_.substr(0, held_.size() - keep);
  held_.erase(0, held_.size() - keep);
  return out;
}

std::string StopFilter::finish() { return std::exchange(held_, {}); }

}  // namespace hearth
