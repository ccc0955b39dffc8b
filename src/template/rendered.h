// Rendered: what a template printed, and which bytes of it came from the conversation.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/text_range.h"

namespace hearth {

struct Rendered {
  std::string text;
  // Sorted, apart from each other, none empty. No byte in here may take part in a control token:
  // somebody other than the template's author wrote it.
  std::vector<TextRange> foreign;

  // Appends `part`, and remembers it where it is foreign.
  void append(std::string_view part, bool is_foreign) {
    if (is_foreign && !part.empty()) {
      if (!foreign.empty() && foreign.back().end == text.size()) foreign.back().end += part.size();
      else foreign.push_back({text.size(), text.size() + part.size()});
    }
    text += part;
  }
};

}  // namespace hearth
