// The merging of byte-pair encoding, shared by all kinds of it: the symbols of one word are
// joined, always the adjacent pair of the lowest rank (the leftmost of equals), until no pair has
// a rank. A heap over a linked list keeps it at n log n for a word of n symbols.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

namespace hearth {

inline constexpr uint32_t kNoRank = UINT32_MAX;
inline constexpr uint32_t kNoSymbol = UINT32_MAX;

// A stretch of the word. `rank` and `merged` describe its pair with the next symbol.
struct Symbol {
  uint32_t begin = 0, bytes = 0;
  uint32_t previous = kNoSymbol, next = kNoSymbol;
  int32_t id = -1;
  uint32_t rank = kNoRank;
  int32_t merged = -1;
};

struct Merge {
  uint32_t rank = kNoRank;
  int32_t id = -1;
};

namespace merge_detail {

// Joins symbols[at] with its next one and gives the pairs on both sides their new ranks.
template <class Pair>
void join(std::vector<Symbol>& symbols, uint32_t at, Pair&& pair) {
  Symbol& left = symbols[at];
  Symbol& right = symbols[left.next];
  left.bytes += right.bytes;
  left.id = left.merged;
  left.next = right.next;
  right.bytes = 0;
  right.rank = kNoRank;
  const auto update = [&](uint32_t index) {
    Symbol& symbol = symbols[index];
    const Merge merge =
        symbol.next == kNoSymbol ? Merge{} : pair(symbol, symbols[symbol.next]);
    symbol.rank = merge.rank;
    symbol.merged = merge.id;
  };
  if (left.next != kNoSymbol) symbols[left.next].previous = at;
  update(at);
  if (left.previous != kNoSymbol) update(left.previous);
}

template <class Pair>
void merge_short(std::vector<Symbol>& symbols, Pair&& pair) {
  for (;;) {
    uint32_t best = kNoSymbol, rank = kNoRank;
    for (uint32_t at = 0; at != kNoSymbol; at = symbols[at].next)
      if (symbols[at].rank < rank) rank = symbols[at].rank, best = at;
    if (best == kNoSymbol) return;
    join(symbols, best, pair);
  }
}

template <class Pair>
void merge_long(std::vector<Symbol>& symbols, std::vector<uint64_t>& heap, Pair&& pair) {
  const auto key = [&](uint32_t at) {
    return static_cast<uint64_t>(symbols[at].rank) << 32 | at;
  };
  heap.clear();
  for (uint32_t at = 0; at < symbols.size(); ++at)
    if (symbols[at].rank != kNoRank) heap.push_back(key(at));
  std::make_heap(heap.begin(), heap.end(), std::greater<>());
  const auto push = [&](uint32_t at) {
    if (symbols[at].rank == kNoRank) return;
    heap.push_back(key(at));
    std::push_heap(heap.begin(), heap.end(), std::greater<>());
  };
  while (!heap.empty()) {
    const uint64_t top = heap.front();
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    heap.pop_back();
    const auto at = static_cast<uint32_t>(top);
    // An entry whose symbol has changed since is stale; one that is right again is as good.
    if (symbols[at].rank != top >> 32) continue;
    join(symbols, at, pair);
    push(at);
    if (symbols[at].previous != kNoSymbol) push(symbols[at].previous);
  }
}

}  // namespace merge_detail

// Merges `symbols` (begin, bytes and id filled in, in order). `pair(left, right)` gives the rank
// and the id of a pair, or Merge{}. Afterwards the word is the list from symbols[0] along `next`.
template <class Pair>
void merge_symbols(std::vector<Symbol>& symbols, std::vector<uint64_t>& heap, Pair&& pair) {
  constexpr size_t kShort = 24;  // up to here the plain scan is the faster one
  const auto count = static_cast<uint32_t>(symbols.size());
  for (uint32_t at = 0; at < count; ++at) {
    Symbol& symbol = symbols[at];
    symbol.previous = at == 0 ? kNoSymbol : at - 1;
    symbol.next = at + 1 == count ? kNoSymbol : at + 1;
    const Merge merge = at + 1 == count ? Merge{} : pair(symbol, symbols[at + 1]);
    symbol.rank = merge.rank;
    symbol.merged = merge.id;
  }
  if (count <= kShort) {
    if (count > 1) merge_detail::merge_short(symbols, pair);
  } else {
    merge_detail::merge_long(symbols, heap, pair);
  }
}

}  // namespace hearth
