#include "tokenizer/hash.h"

#include <random>

namespace hearth {

uint64_t hash_seed() {
  static const uint64_t seed = [] {
    std::random_device device;
    return (static_cast<uint64_t>(device()) << 32 | device()) | 1;
  }();
  return seed;
}

}  // namespace hearth
