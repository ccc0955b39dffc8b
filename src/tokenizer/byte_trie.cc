#include "tokenizer/byte_trie.h"

#include <algorithm>
#include <array>
#include <bit>

#include "base/check.h"

namespace hearth {
namespace {

constexpr uint32_t kBlock = 256;
constexpr size_t kBlocksMax = size_t{1} << 16;  // a base has 24 bits
constexpr uint32_t kNoChildren = 1;  // a base that no node's children use

// Sorted by their first eight bytes as a number, which spares most of the comparing of texts.
struct Keyed {
  uint64_t head;
  ByteTrie::Item item;

  explicit Keyed(const ByteTrie::Item& from) : head(0), item(from) {
    for (size_t i = 0; i < 8; ++i)
      head = head << 8 | (i < from.first.size() ? static_cast<uint8_t>(from.first[i]) : 0u);
  }
  bool operator<(const Keyed& other) const {
    return head != other.head ? head < other.head : item < other.item;
  }
  // REQUIRES: depth below the size of the text.
  uint8_t byte(size_t depth) const {
    return depth < 8 ? static_cast<uint8_t>(head >> (56 - 8 * depth))
                     : static_cast<uint8_t>(item.first[depth]);
  }
};

}  // namespace

// Places nodes block by block. Most nodes have one child, which fits anywhere; they fill the holes
// that the others leave.
class ByteTrie::Builder {
 public:
  explicit Builder(std::vector<Node>& nodes) : nodes_(nodes) {
    add_block();
    take(0);
    take_base(0);
    take_base(kNoChildren);
  }

  // A base whose slots for all `labels` are free; they are taken. 0 where the array is full.
  uint32_t place(const std::vector<uint8_t>& labels) {
    constexpr size_t kTries = 6;
    for (size_t tried = 0; tried < std::min(kTries, open_.size()); ++tried) {
      const size_t index = open_.size() - 1 - tried;
      const uint32_t base = fit(open_[index], labels);
      if (base != 0) {
        if (blocks_[base / kBlock].free_count == 0)
          open_.erase(open_.begin() + static_cast<ptrdiff_t>(index));
        return base;
      }
    }
    if (blocks_.size() == kBlocksMax) return 0;
    // Blocks that a single child would still fit into are few: the oldest is given up.
    constexpr size_t kOpenMax = 64;
    if (open_.size() == kOpenMax) open_.erase(open_.begin());
    add_block();
    return fit(open_.back(), labels);
  }

 private:
  using Bits = std::array<uint64_t, kBlock / 64>;
  struct Block {
    Bits free, free_bases;
    uint32_t free_count = kBlock;
  };
  static bool test(const Bits& bits, uint32_t at) { return (bits[at / 64] >> (at % 64) & 1) != 0; }
  static void clear(Bits& bits, uint32_t at) { bits[at / 64] &= ~(uint64_t{1} << (at % 64)); }

  void add_block() {
    Block block;
    block.free.fill(~uint64_t{0});
    block.free_bases.fill(~uint64_t{0});
    open_.push_back(static_cast<uint32_t>(blocks_.size()));
    blocks_.push_back(block);
    nodes_.resize(nodes_.size() + kBlock);
  }

  void take(uint32_t slot) {
    Block& block = blocks_[slot / kBlock];
    clear(block.free, slot % kBlock);
    --block.free_count;
  }
  void take_base(uint32_t base) { clear(blocks_[base / kBlock].free_bases, base % kBlock); }

  uint32_t fit(uint32_t index, const std::vector<uint8_t>& labels) {
    const Block& block = blocks_[index];
    if (block.free_count < labels.size()) return 0;
    for (uint32_t word = 0; word < block.free.size(); ++word) {
      for (uint64_t bits = block.free[word]; bits != 0; bits &= bits - 1) {
        const uint32_t slot = word * 64 + static_cast<uint32_t>(std::countr_zero(bits));
        const uint32_t low = slot ^ labels[0];
        if (!test(block.free_bases, low)) continue;
        const bool fits = std::all_of(labels.begin() + 1, labels.end(), [&](uint8_t label) {
          return test(block.free, low ^ label);
        });
        if (!fits) continue;
        const uint32_t base = index * kBlock + low;
        for (const uint8_t label : labels) take(base ^ label);
        take_base(base);
        return base;
      }
    }
    return 0;
  }

  std::vector<Node>& nodes_;
  std::vector<Block> blocks_;
  std::vector<uint32_t> open_;  // blocks that are tried, the newest last
};

Result<ByteTrie> ByteTrie::build(const std::vector<Item>& all) {
  std::vector<Keyed> items;
  items.reserve(all.size());
  for (const Item& item : all)
    if (!item.first.empty() && item.first.size() <= kBytesMax) items.emplace_back(item);
  std::sort(items.begin(), items.end());
  ByteTrie made;
  if (items.empty()) return made;
  std::vector<Node>& nodes = made.nodes_;
  Builder builder(nodes);
  // A node whose children are yet to be placed: the items that share its first `depth` bytes.
  struct Open {
    uint32_t node;
    size_t begin, end, depth;
  };
  std::vector<Open> stack = {{0, 0, items.size(), 0}};
  std::vector<uint8_t> labels;
  std::vector<size_t> begins;
  while (!stack.empty()) {
    Open open = stack.back();
    stack.pop_back();
    for (; open.begin < open.end && items[open.begin].item.first.size() == open.depth; ++open.begin)
      nodes[open.node].value = items[open.begin].item.second;
    labels.clear();
    begins.clear();
    for (size_t i = open.begin; i < open.end; ++i) {
      const uint8_t byte = items[i].byte(open.depth);
      if (!labels.empty() && labels.back() == byte) continue;
      labels.push_back(byte);
      begins.push_back(i);
    }
    uint32_t base = kNoChildren;
    if (!labels.empty()) base = builder.place(labels);
    if (base == 0)
      return fail(Code::kTooLarge, "the entries of the vocabulary make a trie of over 2^24 nodes");
    nodes[open.node].packed = base << 8 | nodes[open.node].label();
    begins.push_back(open.end);
    for (size_t i = labels.size(); i-- > 0;) {
      const uint32_t child = base ^ labels[i];
      nodes[child].packed = kNoChildren << 8 | labels[i];
      stack.push_back({child, begins[i], begins[i + 1], open.depth + 1});
    }
  }
  return made;
}

}  // namespace hearth
