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

size_t PrefixIndex::pinnable(std::span<const PrefixNode> path, size_t of_owner,
                             size_t of_all) const {
  size_t known = 0;
  while (known < path.size() && pinned(path[known])) ++known;
  if (known == path.size()) return known;
  const size_t own = pins_of_[at(path[known]).salt % kPrefixOwners], all = pins_.size();
  const size_t room = std::min(of_owner - std::min(own, of_owner), of_all - std::min(all, of_all));
  return known + std::min(room, path.size() - known);
}

void PrefixIndex::pin(std::span<const PrefixNode> path, Time until) {
  for (PrefixNode node : path) {
    Node& n = at(node);
    if (n.pin >= 0) {
      Time& end = pins_[static_cast<size_t>(n.pin)].until;
      end = std::max(end, until);
      continue;
    }
    use(node);
    n.pin = static_cast<int32_t>(pins_.size());
    pins_.push_back({node, until});
    ++pins_of_[n.salt % kPrefixOwners];
  }
  if (!path.empty()) next_unpin_ = std::min(next_unpin_, until);
}

void PrefixIndex::unpin(Time now) {
  if (now < next_unpin_) return;
  next_unpin_ = Time::max();
  for (size_t i = pins_.size(); i-- > 0;) {  // ancestors last, as they must be dropped
    const auto [node, until] = pins_[i];
    if (until > now) {
      next_unpin_ = std::min(next_unpin_, until);
      continue;
    }
    at(node).pin = -1;
    --pins_of_[at(node).salt % kPrefixOwners];
    drop(node);
  }
  std::erase_if(pins_, [&](const Pin& pin) { return pin.until <= now; });
  for (size_t i = 0; i < pins_.size(); ++i) at(pins_[i].node).pin = static_cast<int32_t>(i);
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
  check_pins();
}

void PrefixIndex::check_pins() const {
  std::array<size_t, kPrefixOwners> of{};
  size_t pinned = 0;
  for_each([&](PrefixNode node) { pinned += at(node).pin >= 0; });
  CHECK(pinned == pins_.size());
  for (size_t i = 0; i < pins_.size(); ++i) {
    const Node& n = at(pins_[i].node);
    CHECK(n.exists && n.users > 0 && n.pin == static_cast<int32_t>(i));
    CHECK(pins_[i].until >= next_unpin_);
    ++of[n.salt % kPrefixOwners];
    if (n.parent == kNoPrefix) continue;
    const int32_t parent = at(n.parent).pin;
    CHECK(parent >= 0 && parent < n.pin);
    CHECK(pins_[static_cast<size_t>(parent)].until >= pins_[i].until);
  }
  CHECK(of == pins_of_);
}

}  // namespace hearth
