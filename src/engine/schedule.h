// Schedule: a program cut into stages, as the members of a thread pool run it. Within a stage
// nobody waits for anybody: each member has its own rows, or its own columns of the outputs, or
// its own heads of attention, and operations follow one another on those. Between stages all wait.
// A layer of the common shape has eight stages.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "kernels/api.h"
#include "nn/program.h"

namespace hearth {

// A value put into the form that a product takes, in one of two slots: a stage may read one while
// it writes the other.
struct Pack {
  Value value;
  Compute compute = Compute::kF32;
  int32_t slot = 0;
};

struct Stage {
  enum class Kind : uint8_t {
    kRows,       // operations on the member's rows of the batch
    kColumns,    // products with one input, then what works on their outputs element by element
    kAttention,  // one attention, in pieces of some rows and one key-value head
  };
  Kind kind = Kind::kRows;
  int32_t layer = -1;
  std::vector<int32_t> ops;  // indices into Program::ops
  int32_t store = -1;        // kRows: the attention whose keys and values go into the cache
  std::vector<Pack> packs;   // at the end, of the member's part
};

struct Schedule {
  std::vector<Stage> stages;
  std::vector<Compute> computes;   // by operation; of products, else kF32
  std::vector<int32_t> slots;      // by operation: where a product finds its packed input, or -1
  int32_t head = -1;               // the operation that ends the program, outside of all stages
  int32_t packed_width = 0;        // of the widest packed value
};

// `compute_for(weight)`: what a product with that weight of the model computes in.
Schedule schedule_of(const Program& program,
                     const std::function<Compute(int32_t weight)>& compute_for);

}  // namespace hearth
