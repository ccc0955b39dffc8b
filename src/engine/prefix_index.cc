#include "engine/prefix_index.h"

#include <algorithm>

#include "base/check.h"

namespace hearth {

size_t PrefixIndex::bucket(PrefixSalt salt, PrefixNode parent,
                           std::span<const TokenId> tokens) const {
  // Multiply and fold, as wyhash does it: an attacker who makes buckets long gains a slow search
  // among the blocks that he paid for, not a wrong answer.
  constexpr uint64_t kFactor = 0x9e3779b97f4a7c15;
  auto mix = [](uint64_t h, uint64_t v) {
    const unsigned __int128 wide = static_cast<unsigned __int128>(h ^ v) * kFactor;
    return static_cast<uint64_t>(wide) ^ static_cast<uint64_t>(wide >> 64);
  };
  uint64_t hash = mix(salt ^ kFactor, static_cast<uint32_t>(parent));
  for (TokenId token : tokens) hash = mix(hash + 1, static_cast<uint32_t>(token));
  return hash & (heads_.size() - 1);
}

PrefixNode PrefixIndex::find(PrefixSalt salt, PrefixNode parent,
                             std::span<const TokenId> tokens) const {
  PrefixNode node = heads_[bucket(salt, parent, tokens)];
  for (; node != kNoPrefix; node = at(node).same_hash) {
    const Node& n = at(node);
    if (n.salt == salt && n.parent == parent && std::ranges::equal(n.tokens, tokens)) break;
  }
  return node;
}

PrefixIndex::Part PrefixIndex::find_part(PrefixSalt salt, PrefixNode parent,
                                         std::span<const TokenId> tokens) const {
  constexpr int kLooks = 64;  // a system prompt may have thousands of different questions after it
  Part best;
  PrefixNode node = first_child_of(parent);
  for (int i = 0; i < kLooks && node != kNoPrefix; ++i, node = at(node).next_sibling) {
    const Node& n = at(node);
    if (n.salt != salt) continue;
    const auto end = std::ranges::mismatch(n.tokens, tokens).in1;
    const int64_t same = end - n.tokens.begin();
    if (same > best.tokens) best = {node, same};
  }
  return best;
}

PrefixNode PrefixIndex::add(PrefixSalt salt, PrefixNode parent, std::span<const TokenId> tokens) {
  DCHECK(tokens.size() == kKvBlock);
  if (count_ >= heads_.size()) grow_buckets();
  PrefixNode node = spare_;
  if (node == kNoPrefix) {
    node = static_cast<PrefixNode>(nodes_.size());
    nodes_.emplace_back();
    blocks_.resize(nodes_.size() * groups_);
  } else {
    spare_ = at(node).same_hash;
  }
  Node& n = at(node);
  n = Node();
  n.salt = salt;
  n.parent = parent;
  n.users = 1;
  n.exists = true;
  std::ranges::copy(tokens, n.tokens.begin());
  PrefixNode& head = heads_[bucket_of(n)];
  n.same_hash = head;
  head = node;
  link_sibling(node);
  ++count_;
  return node;
}

void PrefixIndex::use(PrefixNode node) {
  if (at(node).users++ == 0) unlink_free(node);
}

void PrefixIndex::drop(PrefixNode node) {
  DCHECK(at(node).users > 0);
  if (--at(node).users == 0) link_free(node);
}

void PrefixIndex::remove(PrefixNode node) {
  Node& n = at(node);
  CHECK(n.exists && n.users == 0 && n.first_child == kNoPrefix);
  PrefixNode* link = &heads_[bucket_of(n)];
  while (*link != node) link = &at(*link).same_hash;
  *link = n.same_hash;
  unlink_sibling(node);
  unlink_free(node);
  std::ranges::fill(blocks(node), nullptr);
  n.exists = false;
  n.same_hash = spare_;
  spare_ = node;
  --count_;
}

std::span<const std::byte*> PrefixIndex::blocks(PrefixNode node) {
  return std::span(blocks_).subspan(static_cast<size_t>(node) * groups_, groups_);
}
std::span<const std::byte* const> PrefixIndex::blocks(PrefixNode node) const {
  return std::span(blocks_).subspan(static_cast<size_t>(node) * groups_, groups_);
}

void PrefixIndex::link_sibling(PrefixNode node) {
  PrefixNode& first = first_child_of(at(node).parent);
  at(node).next_sibling = first;
  if (first != kNoPrefix) at(first).previous_sibling = node;
  first = node;
}

void PrefixIndex::unlink_sibling(PrefixNode node) {
  Node& n = at(node);
  if (n.previous_sibling == kNoPrefix) first_child_of(n.parent) = n.next_sibling;
  else at(n.previous_sibling).next_sibling = n.next_sibling;
  if (n.next_sibling != kNoPrefix) at(n.next_sibling).previous_sibling = n.previous_sibling;
  n.next_sibling = n.previous_sibling = kNoPrefix;
}

void PrefixIndex::link_free(PrefixNode node) {
  Node& n = at(node);
  Unused& list = unused_of(n);
  ++list.count;
  n.older = list.newest;
  n.newer = kNoPrefix;
  (n.older == kNoPrefix ? list.oldest : at(n.older).newer) = node;
  list.newest = node;
}

void PrefixIndex::unlink_free(PrefixNode node) {
  Node& n = at(node);
  Unused& list = unused_of(n);
  --list.count;
  (n.older == kNoPrefix ? list.oldest : at(n.older).newer) = n.newer;
  (n.newer == kNoPrefix ? list.newest : at(n.newer).older) = n.older;
  n.older = n.newer = kNoPrefix;
}

PrefixNode PrefixIndex::first_to_go() const {
  return std::ranges::max_element(unused_, {}, &Unused::count)->oldest;
}

void PrefixIndex::grow_buckets() {
  heads_.assign(heads_.size() * 2, kNoPrefix);
  for (size_t i = 0; i < nodes_.size(); ++i) {
    Node& n = nodes_[i];
    if (!n.exists) continue;
    PrefixNode& head = heads_[bucket_of(n)];
    n.same_hash = head;
    head = static_cast<PrefixNode>(i);
  }
}

void PrefixIndex::check_integrity() const {
  size_t count = 0, unused = 0, listed = 0;
  for_each([&](PrefixNode node) {
    const Node& n = at(node);
    ++count;
    unused += n.users == 0;
    CHECK(n.users >= 0 && find(n.salt, n.parent, n.tokens) == node);
    if (n.parent == kNoPrefix) return;
    const Node& parent = at(n.parent);
    CHECK(parent.exists && parent.users >= n.users);
  });
  CHECK(count == count_);
  std::vector<bool> seen(nodes_.size());
  for (const Unused& list : unused_) {
    size_t here = 0;
    for (PrefixNode node = list.oldest; node != kNoPrefix; node = at(node).newer, ++here) {
      CHECK(at(node).users == 0 && &unused_of(at(node)) == &list);
      for (PrefixNode c = at(node).first_child; c != kNoPrefix; c = at(c).next_sibling)
        CHECK(seen[static_cast<size_t>(c)]);  // children go first
      seen[static_cast<size_t>(node)] = true;
    }
    CHECK(here == list.count);
    listed += here;
  }
  CHECK(listed == unused);
}

}  // namespace hearth
