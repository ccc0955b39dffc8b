#include "engine/serving/scheduler.h"

#include <algorithm>
#include <cstddef>
#include <limits>

#include "base/check.h"

namespace hearth {
namespace {

// Rows that were charged beside the dealing put a tenant back by so many turns at most.
constexpr int64_t kMostDebtTurns = 4;
constexpr int64_t kDebtRows = 1024;

int32_t level_now(int32_t priority, double since, double now) {
  const double gained = std::max(0.0, now - since) / Scheduler::kAgeingSeconds;
  return priority + static_cast<int32_t>(std::min(gained, 1e6));
}

}  // namespace

Scheduler::Scheduler() : nodes_(1) {}

int32_t Scheduler::add_node(int32_t parent, uint64_t key) {
  int32_t id;
  if (spare_nodes_.empty()) {
    id = static_cast<int32_t>(nodes_.size());
    nodes_.emplace_back();
  } else {
    id = spare_nodes_.back();
    spare_nodes_.pop_back();
  }
  Node& node = at(id);
  node.key = key, node.parent = parent, node.lane = kNone, node.deficit = 0;
  node.fresh = true, node.began = false;
  node.open = 0, node.lanes = 0;
  node.children.clear();
  std::vector<int32_t>& order = at(parent).children;
  auto served = std::ranges::find_if(order, [&](int32_t c) { return !at(c).fresh; });
  order.insert(served, id);
  return id;
}

int32_t Scheduler::child(int32_t parent, uint64_t key) {
  for (int32_t c : at(parent).children)
    if (at(c).key == key) return c;
  return add_node(parent, key);
}

void Scheduler::remove_node(int32_t node) {
  std::erase(at(at(node).parent).children, node);
  spare_nodes_.push_back(node);
}

void Scheduler::add(LaneId lane, uint64_t tenant, uint64_t conversation, int32_t priority,
                    double now) {
  if (static_cast<size_t>(lane) >= lanes_.size()) lanes_.resize(static_cast<size_t>(lane) + 1);
  CHECK(lane_at(lane).node == kNone);
  const int32_t leaf = add_node(child(child(kRoot, tenant), conversation),
                                static_cast<uint64_t>(lane));
  at(leaf).lane = lane;
  lane_at(lane) = {.node = leaf, .priority = priority, .since = now};
  for (int32_t n = leaf; n != kNone; n = at(n).parent) ++at(n).lanes;
}

void Scheduler::remove(LaneId lane) {
  close(lane);
  int32_t node = lane_at(lane).node;
  lane_at(lane) = {};
  while (node != kRoot) {
    const int32_t parent = at(node).parent;
    if (--at(node).lanes == 0) remove_node(node);
    node = parent;
  }
  --at(kRoot).lanes;
}

void Scheduler::want(LaneId lane, int64_t rows) {
  lane_at(lane).wanted = rows;
  if (rows == 0) close(lane);
}

void Scheduler::charge(LaneId lane, int64_t rows) {
  for (int32_t n = at(lane_at(lane).node).parent; n != kRoot; n = at(n).parent)
    at(n).deficit = std::max(at(n).deficit - rows, -kDebtRows);
}

void Scheduler::open(LaneId lane) {
  if (lane_at(lane).open) return;
  lane_at(lane).open = true;
  for (int32_t n = lane_at(lane).node; n != kNone; n = at(n).parent) ++at(n).open;
}

void Scheduler::close(LaneId lane) {
  if (!lane_at(lane).open) return;
  lane_at(lane).open = false;
  for (int32_t n = lane_at(lane).node; n != kNone; n = at(n).parent) --at(n).open;
}

// Whose turn it is below `parent`: the first that is open and has rows left in its turn. Who has
// none gets the next turn's rows and goes to the end.
int32_t Scheduler::next_child(int32_t parent, int64_t quantum) {
  std::vector<int32_t>& order = at(parent).children;
  for (size_t i = 0;; ) {
    i = static_cast<size_t>(std::ranges::find_if(order.begin() + static_cast<std::ptrdiff_t>(i),
                                                 order.end(),
                                                 [&](int32_t c) { return at(c).open > 0; }) -
                            order.begin());
    if (i == order.size()) {
      i = 0;  // they all went to the end while we walked
      continue;
    }
    const int32_t id = order[i];
    Node& node = at(id);
    if (!node.began) node.began = true, node.deficit += quantum;
    if (node.deficit > 0) return id;
    node.deficit = std::max(node.deficit, -kMostDebtTurns * quantum) + quantum;
    node.fresh = false;
    std::rotate(order.begin() + static_cast<std::ptrdiff_t>(i),
                order.begin() + static_cast<std::ptrdiff_t>(i) + 1, order.end());
  }
}

void Scheduler::deal_open(int64_t& budget, int64_t quantum, const Take& take) {
  while (budget > 0 && at(kRoot).open > 0) {
    int32_t node = kRoot;
    int64_t rows = budget;
    while (at(node).lane == kNone) {
      node = next_child(node, quantum);
      rows = std::min(rows, at(node).deficit);
    }
    const LaneId lane = at(node).lane;
    const int64_t took = take(lane, std::min(rows, lane_at(lane).wanted));
    if (took <= 0) {
      close(lane);
      continue;
    }
    budget -= took;
    for (int32_t n = node; n != kRoot; n = at(n).parent) at(n).deficit -= took;
    want(lane, std::max<int64_t>(0, lane_at(lane).wanted - took));
  }
}

void Scheduler::deal(double now, int64_t budget, int64_t quantum, const Take& take) {
  quantum = std::max<int64_t>(1, quantum);
  // A lane that would not take in this step is not asked again on a lower level.
  int32_t above = std::numeric_limits<int32_t>::max();
  while (budget > 0) {
    int32_t level = std::numeric_limits<int32_t>::min();
    for (const Lane& lane : lanes_) {
      if (lane.wanted == 0) continue;
      const int32_t own = level_now(lane.priority, lane.since, now);
      if (own < above) level = std::max(level, own);
    }
    if (level == std::numeric_limits<int32_t>::min()) return;
    for (size_t i = 0; i < lanes_.size(); ++i)
      if (lanes_[i].wanted > 0 && level_now(lanes_[i].priority, lanes_[i].since, now) == level)
        open(static_cast<LaneId>(i));
    deal_open(budget, quantum, take);
    for (size_t i = 0; i < lanes_.size(); ++i) close(static_cast<LaneId>(i));
    above = level;
  }
}

}  // namespace hearth
