#include "model/think_splitter.h"

#include <algorithm>

namespace hearth {

size_t ThinkSplitter::ready() const {
  if (answering_) return waiting_.size();
  const std::string_view wanted = tag();
  if (const size_t at = waiting_.find(wanted); at != std::string::npos)
    return at == 0 ? std::string::npos : at;
  // What the text ends with may be the beginning of the tag.
  size_t held = std::min(waiting_.size(), wanted.size() - 1);
  while (held > 0 && !waiting_.ends_with(wanted.substr(0, held))) --held;
  return waiting_.size() - held;
}

}  // namespace hearth
