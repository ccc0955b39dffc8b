// ByteTrie: entries of a vocabulary as a trie over bytes, in a double array of 8 bytes a node: the
// child of node n by byte c is at base(n) ^ c, if the label there is c. No two nodes share a base,
// so that the label alone tells whose child it is. Read-only once built; any thread may walk.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace hearth {

class ByteTrie {
 public:
  using Item = std::pair<std::string_view, int32_t>;  // a text and its value, which is not negative

  // Items that are empty or longer than kBytesMax are left out, so that a walk is never longer;
  // of equal texts the greatest value counts. kTooLarge for more than 2^24 nodes.
  static Result<ByteTrie> build(const std::vector<Item>& all);

  bool empty() const { return nodes_.empty(); }

  // Calls found(bytes, value) for every item that is a prefix of `text`, shortest first.
  template <class Found>
  void prefixes(std::string_view text, Found&& found) const {
    if (nodes_.empty()) return;
    const Node* nodes = nodes_.data();
    uint32_t base = nodes[0].base();
    for (size_t at = 0; at < text.size(); ++at) {
      const auto byte = static_cast<uint8_t>(text[at]);
      // Every base lies in a whole block of 256 nodes, so that no index leaves the array.
      const Node node = nodes[base ^ byte];
      if (node.label() != byte || node.base() == 0) return;
      if (node.value >= 0) found(at + 1, node.value);
      base = node.base();
    }
  }

  // The longest item that is a prefix of `text`; 0 bytes where there is none.
  struct Match {
    size_t bytes = 0;
    int32_t value = -1;
  };
  Match longest(std::string_view text) const {
    Match match;
    prefixes(text, [&](size_t bytes, int32_t value) { match = {bytes, value}; });
    return match;
  }

  static constexpr size_t kBytesMax = 512;

 private:
  struct Node {
    uint32_t packed = 0;  // base << 8 | label; base 0: a free node
    int32_t value = -1;
    uint32_t base() const { return packed >> 8; }
    uint8_t label() const { return static_cast<uint8_t>(packed); }
  };
  class Builder;
  std::vector<Node> nodes_;
};

}  // namespace hearth
