// Weight: a slot for the parameters of one tensor of a model, whatever form they have. Codes,
// scales, zero points, group indices and nested scales are planes; a packing says how codes lie;
// a device and a shard say where. Dense GGUF rows, GPTQ, NF4 and repacked panels are then the same
// thing to everybody who does not compute with them, and adapters lie on top.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "encoding/encoding.h"

namespace hearth {

// What a tensor is for. Whatever differs between tensors (quantization, adapters, pruning groups,
// parallel axis, offload order) is a function of role and layer, never of the architecture.
enum class Role : uint8_t {
  kTokenEmbd, kOutput, kOutputNorm,
  kAttnNorm, kAttnQ, kAttnK, kAttnV, kAttnOut, kAttnQNorm, kAttnKNorm, kAttnPostNorm,
  kFfnNorm, kFfnGate, kFfnUp, kFfnDown, kFfnPostNorm,
  kBias, kRopeFactors,
};

std::string_view name_of(Role role);

enum class PlaneKind : uint8_t { kCodes, kScales, kZeroPoints, kGroupIndices, kNestedScales };

struct Plane {
  PlaneKind kind = PlaneKind::kCodes;
  const Encoding* encoding = nullptr;
  std::span<const std::byte> bytes;
};

enum class Packing : uint8_t { kRows };         // rows of whole blocks, one after the other
enum class Device : uint8_t { kCpu };
struct Shard { int32_t index = 0, count = 1; };  // which part of the rows or columns this is

struct Weight {
  std::string slot;    // "attn_q": what forward calls it
  std::string name;    // as the file calls it, for messages
  Role role = Role::kBias;
  int32_t layer = -1;  // -1: belongs to no layer
  int64_t rows = 0;    // outputs; 1 for vectors
  int64_t cols = 0;    // inputs, contiguous
  Packing packing = Packing::kRows;
  Device device = Device::kCpu;
  Shard shard;
  std::vector<Plane> planes;            // the codes come first
  std::shared_ptr<const void> owner;    // keeps bytes that were made at load alive

  const Encoding& encoding() const { return *planes.front().encoding; }
  const std::byte* data() const { return planes.front().bytes.data(); }
  size_t row_bytes() const { return encoding().bytes_of(static_cast<uint64_t>(cols)); }
  uint64_t bytes() const;  // of all planes
};

}  // namespace hearth
