// Reads the arrays of an .npz file as numpy.savez writes them (a zip without compression), for
// tests that compare with another implementation's numbers.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace hearth::test {

struct NpyArray {
  std::string dtype;  // "<f4", "<i8"
  std::vector<int64_t> shape;
  std::vector<std::byte> data;

  std::vector<float> floats() const;    // REQUIRES "<f4"
  std::vector<int64_t> ints() const;    // REQUIRES "<i8"
};

// By name without ".npy".
Result<std::map<std::string, NpyArray>> read_npz(const std::string& path);
Result<NpyArray> parse_npy(std::string_view bytes);

}  // namespace hearth::test
