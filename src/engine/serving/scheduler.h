// Scheduler: whose prompt is computed next. Lanes (sequences) that have tokens to compute are dealt
// the rows of a step by deficit round robin (Shreedhar and Varghese, 1996) on three levels: tenants
// share the machine, conversations share their tenant's part, lanes their conversation's. Who comes
// new goes before those that were served (as flows do in FQ-CoDel, RFC 8290), so that a short
// prompt does not wait behind a long one. Lanes of a higher priority go first; a level of priority
// is gained by waiting kAgeingSeconds.
//
// Pure bookkeeping: no clock, no memory, no threads. Nothing is allocated but for more lanes than
// there ever were.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace hearth {

class Scheduler {
 public:
  using LaneId = int32_t;  // the caller's numbers, small and reused

  static constexpr double kAgeingSeconds = 10;

  Scheduler();

  // A lane without anything to compute. REQUIRES: it is not there.
  void add(LaneId lane, uint64_t tenant, uint64_t conversation, int32_t priority, double now);
  void remove(LaneId lane);
  // Rows that it wants to be dealt; 0: none.
  void want(LaneId lane, int64_t rows);
  int64_t wanted(LaneId lane) const { return lanes_[static_cast<size_t>(lane)].wanted; }

  // How many tenants have lanes.
  int64_t tenants() const { return static_cast<int64_t>(at(kRoot).children.size()); }

  // Rows that a lane gets beside the dealing, for its tenant and conversation to pay.
  void charge(LaneId lane, int64_t rows);

  // Deals `budget` rows, turns being of `quantum` rows. take(lane, rows) says how many of the rows
  // it took; 0: none in this step. A lane may be asked several times, and may call want() for
  // itself meanwhile.
  using Take = std::function<int64_t(LaneId lane, int64_t rows)>;
  void deal(double now, int64_t budget, int64_t quantum, const Take& take);

 private:
  static constexpr int32_t kNone = -1, kRoot = 0;
  // A level of sharing: the root deals to tenants, these to conversations, these to lanes.
  struct Node {
    uint64_t key = 0;
    int32_t parent = kNone;
    LaneId lane = kNone;           // of a leaf
    int64_t deficit = 0;           // rows that it may still take in this turn
    bool fresh = true;             // in its first turn, or before it
    bool began = false;            // its first turn
    int32_t open = 0;              // lanes below that take part in the dealing of now
    int64_t lanes = 0;             // lanes below
    std::vector<int32_t> children;  // in the order of their turns; fresh ones before others
  };
  struct Lane {
    int32_t node = kNone;
    int64_t wanted = 0;
    int32_t priority = 0;
    double since = 0;
    bool open = false;
  };

  Node& at(int32_t node) { return nodes_[static_cast<size_t>(node)]; }
  const Node& at(int32_t node) const { return nodes_[static_cast<size_t>(node)]; }
  Lane& lane_at(LaneId lane) { return lanes_[static_cast<size_t>(lane)]; }
  int32_t child(int32_t parent, uint64_t key);
  int32_t add_node(int32_t parent, uint64_t key);
  void remove_node(int32_t node);
  void open(LaneId lane);
  void close(LaneId lane);
  int32_t next_child(int32_t parent, int64_t quantum);
  void deal_open(int64_t& budget, int64_t quantum, const Take& take);

  std::vector<Node> nodes_;
  std::vector<int32_t> spare_nodes_;
  std::vector<Lane> lanes_;
};

}  // namespace hearth
