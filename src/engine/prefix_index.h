// PrefixIndex: which blocks of the cache hold what text, so that requests which begin alike share
// them. A tree: a node is one whole block of kKvBlock tokens after the node of the block before
// it, under a salt (tenant, model, adapter, precision: whatever must not be mixed). Tokens are
// compared, not only their hashes: two texts are never taken for each other.
//
// A node is in use while a live sequence holds it; a sequence that holds a node holds its ancestors
// too. Nodes that nobody uses stay until the room is needed. Whose owner keeps the most of them
// loses first, and there the least recently used, children before parents: nobody can push out what
// others keep by asking much.
//
// A node may be pinned until a time, with all of its ancestors for at least as long: it is in use
// until then. There is one pin a node, however many ask for it, so that pins are bounded by nodes.
//
// The blocks themselves belong to KvCache, which counts the index as one of their owners.
//
// Nothing is allocated but for a new node beyond the most that there ever were. One thread at a
// time.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/kv.h"
#include "tokenizer/tokenizer.h"

namespace hearth {

using PrefixNode = int32_t;
inline constexpr PrefixNode kNoPrefix = -1;

// What two texts must have in common besides their tokens. Its remainder by kPrefixOwners says
// whose they are.
using PrefixSalt = uint64_t;
inline constexpr size_t kPrefixOwners = 64;

class PrefixIndex {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // `groups` blocks a node, one per group of layers.
  explicit PrefixIndex(size_t groups) : groups_(groups), heads_(1024, kNoPrefix) {}

  // The node of these kKvBlock tokens after `parent` (kNoPrefix: at the beginning).
  PrefixNode find(PrefixSalt salt, PrefixNode parent, std::span<const TokenId> tokens) const;

  // Among the nodes after `parent`, the one that begins with the most of `tokens` (fewer than a
  // block of them, or more), and how many: at least one, else kNoPrefix.
  struct Part {
    PrefixNode node = kNoPrefix;
    int64_t tokens = 0;
  };
  Part find_part(PrefixSalt salt, PrefixNode parent, std::span<const TokenId> tokens) const;

  // A new node, in use once. REQUIRES: find() has none, and `parent` is in use.
  PrefixNode add(PrefixSalt salt, PrefixNode parent, std::span<const TokenId> tokens);

  // One user more, or one less. REQUIRES: ancestors are taken before and dropped after.
  void use(PrefixNode node);
  void drop(PrefixNode node);

  // The node that nobody uses which is the first to go, kNoPrefix when all are in use.
  PrefixNode first_to_go() const;
  // REQUIRES: first_to_go().
  void remove(PrefixNode node);

  // How many nodes of a text, which begins with path[0], may be pinned where its owner has no more
  // than `of_owner` pins and all owners `of_all`.
  size_t pinnable(std::span<const PrefixNode> path, size_t of_owner, size_t of_all) const;
  // Pins all of path until a time; those that are pinned for longer stay so.
  void pin(std::span<const PrefixNode> path, Time until);
  // Ends the pins whose time has come.
  void unpin(Time now);
  // No pin ends before; Time::max() without pins.
  Time next_unpin() const { return next_unpin_; }
  bool pinned(PrefixNode node) const { return at(node).pin >= 0; }
  size_t pinned_count() const { return pins_.size(); }

  // The block of a group; nullptr where a window has passed or it was given up.
  std::span<const std::byte*> blocks(PrefixNode node);
  std::span<const std::byte* const> blocks(PrefixNode node) const;

  // f(node) for every node that there is, in no order.
  template <class F>
  void for_each(F f) const {
    for (size_t i = 0; i < nodes_.size(); ++i)
      if (nodes_[i].exists) f(static_cast<PrefixNode>(i));
  }
  int32_t users(PrefixNode node) const { return at(node).users; }
  // Links, counts and hashes agree; CHECKs.
  void check_integrity() const;

 private:
  struct Node {
    PrefixSalt salt = 0;
    PrefixNode parent = kNoPrefix;
    PrefixNode same_hash = kNoPrefix;              // the next in its bucket, or of the spare nodes
    PrefixNode first_child = kNoPrefix;
    PrefixNode next_sibling = kNoPrefix, previous_sibling = kNoPrefix;
    PrefixNode newer = kNoPrefix, older = kNoPrefix;  // among those that nobody uses
    int32_t users = 0;
    int32_t pin = -1;  // its place among the pins
    bool exists = false;
    std::array<TokenId, kKvBlock> tokens = {};
  };
  struct Unused {  // of an owner
    PrefixNode oldest = kNoPrefix, newest = kNoPrefix;
    size_t count = 0;
  };

  struct Pin {
    PrefixNode node = kNoPrefix;
    Time until;
  };

  Node& at(PrefixNode node) { return nodes_[static_cast<size_t>(node)]; }
  const Node& at(PrefixNode node) const { return nodes_[static_cast<size_t>(node)]; }
  size_t bucket(PrefixSalt salt, PrefixNode parent, std::span<const TokenId> tokens) const;
  size_t bucket_of(const Node& node) const { return bucket(node.salt, node.parent, node.tokens); }
  PrefixNode first_child_of(PrefixNode parent) const {
    return parent == kNoPrefix ? first_root_ : at(parent).first_child;
  }
  PrefixNode& first_child_of(PrefixNode parent) {
    return parent == kNoPrefix ? first_root_ : at(parent).first_child;
  }
  Unused& unused_of(const Node& node) { return unused_[node.salt % kPrefixOwners]; }
  const Unused& unused_of(const Node& node) const { return unused_[node.salt % kPrefixOwners]; }
  void link_sibling(PrefixNode node);
  void unlink_sibling(PrefixNode node);
  void link_free(PrefixNode node);
  void unlink_free(PrefixNode node);
  void grow_buckets();
  void check_pins() const;

  size_t groups_;
  std::vector<Node> nodes_;
  std::vector<const std::byte*> blocks_;  // [node][group]
  std::vector<PrefixNode> heads_;         // of buckets; a power of two
  PrefixNode spare_ = kNoPrefix;
  PrefixNode first_root_ = kNoPrefix;
  std::array<Unused, kPrefixOwners> unused_;
  std::vector<Pin> pins_;  // ancestors before those that follow them
  std::array<size_t, kPrefixOwners> pins_of_{};
  Time next_unpin_ = Time::max();
  size_t count_ = 0;
};

}  // namespace hearth
