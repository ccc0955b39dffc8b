#include "engine/key_center.h"

#include <algorithm>

namespace hearth {
namespace {

const Op* producer_of(const Program& program, Value value) {
  auto it = std::ranges::find(program.ops, value.id, [](const Op& op) { return op.out.id; });
  return it == program.ops.end() ? nullptr : &*it;
}

// Positions that are looked at; the step is prime, so that no fast rotation looks like a slow one.
constexpr int kPositions = 64, kStep = 61;

// The mean of a head's rotations.
void rotate_mean(const RopeTable& table, std::span<float> head) {
  const auto pairs = static_cast<size_t>(table.pairs());
  std::vector<float> cos(pairs), sin(pairs);
  std::vector<double> mean_cos(pairs), mean_sin(pairs);
  for (int i = 0; i < kPositions; ++i) {
    table.at(i * kStep, cos.data(), sin.data());
    for (size_t p = 0; p < pairs; ++p) {
      mean_cos[p] += cos[p] / double{kPositions};
      mean_sin[p] += sin[p] / double{kPositions};
    }
  }
  for (size_t p = 0; p < pairs; ++p) {
    float& first = head[table.interleaved() ? 2 * p : p];
    float& second = head[table.interleaved() ? 2 * p + 1 : p + pairs];
    const double a = first, b = second;
    first = static_cast<float>(a * mean_cos[p] - b * mean_sin[p]);
    second = static_cast<float>(a * mean_sin[p] + b * mean_cos[p]);
  }
}

}  // namespace

std::vector<float> key_center(const Program& program, std::span<const Weight> weights,
                              const Op& attention) {
  const AttentionSpec& spec = attention.attention;
  if (spec.softcap > 0) return {};
  const Op* op = producer_of(program, attention.b);
  const Op* rope = op != nullptr && op->kind == OpKind::kRope ? op : nullptr;
  if (rope != nullptr) op = producer_of(program, rope->a);
  if (op == nullptr || op->kind != OpKind::kMatmul || op->bias < 0 || op->b) return {};
  const Weight& bias = weights[static_cast<size_t>(op->bias)];
  const auto head_dim = static_cast<size_t>(spec.head_dim);
  std::vector<float> out(static_cast<size_t>(spec.kv_heads) * head_dim);
  if (static_cast<size_t>(bias.rows * bias.cols) != out.size()) return {};
  std::copy_n(reinterpret_cast<const float*>(bias.data()), out.size(), out.begin());
  if (rope == nullptr) return out;
  const RopeTable table(program.ropes[static_cast<size_t>(rope->table)]);
  for (size_t at = 0; at < out.size(); at += head_dim)
    rotate_mean(table, std::span(out).subspan(at, head_dim));
  return out;
}

}  // namespace hearth
