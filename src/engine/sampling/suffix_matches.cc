#include "engine/sampling/suffix_matches.h"

#include <algorithm>

namespace hearth {

std::vector<int32_t> suffix_matches(std::span<const TokenId> tokens) {
  size_t n = tokens.size();
  std::vector<int32_t> out(n, 0);
  auto back = [&](size_t i) { return tokens[n - 1 - i]; };  // the i-th from the end
  // [left, right) is the match that reaches farthest back. A position inside repeats one that is
  // known already, as far as the match goes.
  size_t left = 0, right = 0;
  for (size_t k = 1; k < n; ++k) {
    size_t length = 0;
    if (k < right)
      length = std::min(right - k, static_cast<size_t>(out[n - (k - left)]));
    while (k + length < n && back(length) == back(k + length)) ++length;
    if (k + length > right) left = k, right = k + length;
    out[n - k] = static_cast<int32_t>(length);
  }
  return out;
}

}  // namespace hearth
