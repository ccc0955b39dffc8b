// Sink: where text of one render goes, on a budget. All text that a template makes passes through
// here, whether it is printed or only handed on, so that no template can make more of it, or work
// longer on it, than its render may.
#pragma once

#include <cstdint>
#include <string_view>

#include "template/rendered.h"

namespace hearth::gotmpl {

struct Budget {
  uint64_t steps = 0, bytes = 0;
  bool spent = false;  // something was asked for that was not there any more

  bool take_steps(uint64_t count) {
    if (spent || count > steps) return !(spent = true);
    steps -= count;
    return true;
  }
  bool take_bytes(uint64_t count) {
    if (spent || count > bytes) return !(spent = true);
    bytes -= count;
    return true;
  }
};

class Sink {
 public:
  Sink(Rendered& out, Budget& budget) : out_(out), budget_(budget) {}

  // Appends, or does nothing once the budget is spent (the caller looks at spent() at the end).
  void put(std::string_view part, bool foreign) {
    bool new_range =
        foreign && (out_.foreign.empty() || out_.foreign.back().end != out_.text.size());
    if (!budget_.take_steps(1 + part.size() / 16) ||
        !budget_.take_bytes(part.size() + (new_range ? sizeof(TextRange) : 0)))
      return;
    out_.append(part, foreign);
  }
  void put(const Rendered& part) {
    std::string_view text = part.text;
    size_t at = 0;
    for (const TextRange& range : part.foreign) {
      put(text.substr(at, range.begin - at), false);
      put(text.substr(range.begin, range.end - range.begin), true);
      at = range.end;
    }
    put(text.substr(at), false);
  }
  bool spent() const { return budget_.spent; }
  Budget& budget() { return budget_; }

 private:
  Rendered& out_;
  Budget& budget_;
};

}  // namespace hearth::gotmpl
