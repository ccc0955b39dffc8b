// Program: the forward pass of one model as data, built once by arch/ and then run by the engine,
// counted by the planner, differentiated by the trainer and split by ranks. A straight list of
// operations on values; a value is one float vector per row of the batch.
//
// Values are assigned once. plan_buffers() gives each a buffer, reusing those whose value is dead,
// in place where the operation allows it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "nn/rope.h"
#include "nn/weight.h"

namespace hearth {

enum class OpKind : uint8_t {
  kEmbed,      // out = rows of weight by token id, or the segment's own embeddings
  kScale,      // out = a * number
  kRmsNorm,    // out = rms_norm(a) * weight; heads > 1: each head by itself
  kMatmul,     // out = weight a + bias [+ b: the residual]
  kRope,       // out = a rotated by rope table `table`, heads of width / heads
  kAttention,  // out = attention of queries a; keys b and values c are put into cache `layer`
  kSiluMul,    // out = silu(a) * b
  kGeluMul,    // out = gelu_tanh(a) * b
  kAdd,        // out = a + b
  kHead,       // logits = weight a, for rows that want them; softcap in `number`
};

struct Value {
  int32_t id = -1;
  explicit operator bool() const { return id >= 0; }
};

struct AttentionSpec {
  int32_t heads = 0, kv_heads = 0, head_dim = 0, value_dim = 0;
  float scale = 0;       // of the dot products
  float softcap = 0;     // 0: none
  int32_t window = 0;    // positions seen, the own one included; 0: all
  int32_t cache = 0;     // index into Program::caches
};

struct Op {
  OpKind kind = OpKind::kAdd;
  int32_t layer = -1;
  Value a, b, c, out;
  int32_t weight = -1, bias = -1;  // indices into the model's weights
  int32_t heads = 1;
  int32_t table = -1;              // into Program::ropes
  float number = 0;                // eps, factor or softcap
  AttentionSpec attention;
};

// What one layer keeps of the past.
enum class CacheKind : uint8_t {
  kFull,       // keys and values of every position
  kWindowed,   // of the last `window` positions
  // One compressed vector per position (MLA of DeepSeek-V2), of key_dim numbers: the latent, and
  // then the part of the key that is rotated. Its first value_dim numbers are the value.
  kLatent,
  kRecurrent,  // a state of fixed size
};

struct CacheSpec {
  CacheKind kind = CacheKind::kFull;
  int32_t layer = 0;
  int32_t kv_heads = 0, key_dim = 0, value_dim = 0;
  int32_t window = 0;
};

struct Program {
  std::vector<Op> ops;
  std::vector<int32_t> widths;    // of each value
  std::vector<RopeConfig> ropes;
  std::vector<CacheSpec> caches;
  // After plan_buffers(): which buffer holds a value, and the width of each buffer.
  std::vector<int32_t> buffer_of;
  std::vector<int32_t> buffer_widths;

  void plan_buffers();
};

// Bytes and operations of one step over `rows` rows at `depth` cached positions each, for planners
// and benchmarks: what must move and be computed whatever the kernels.
struct Cost {
  double weight_bytes = 0, cache_bytes = 0, multiply_adds = 0;
};
Cost cost_of(const Program& program, std::span<const Weight> weights, int64_t rows,
             int64_t rows_with_logits, int64_t depth, double cache_number_bytes);

// Writes a Program. Weights are asked for by slot name within the current layer; a slot that the
// model does not have gives -1, and an operation on it is left out where the row says optional.
class Builder {
 public:
  explicit Builder(std::span<const Weight> weights) : weights_(weights) {}

  void set_layer(int32_t layer) { layer_ = layer; }
  int32_t layer() const { return layer_; }
  // The index of a slot of the current layer, or of no layer; -1 when the model has none.
  int32_t find(std::string_view slot) const;
  bool has(std::string_view slot) const { return find(slot) >= 0; }

  Value embed(std::string_view slot, int32_t width);
  Value scale(Value a, float factor);
  // heads > 1: the weight spans one head. A missing optional slot returns `a` itself.
  Value norm(Value a, std::string_view slot, float eps, int32_t heads = 1);
  // slot "attn_q" takes the bias "attn_q_bias" where the model has one.
  Value matmul(Value a, std::string_view slot, Value residual = {});
  Value rope(Value a, const RopeConfig& config, int32_t heads);
  Value attention(Value q, Value k, Value v, AttentionSpec spec);
  Value silu_mul(Value gate, Value up) { return pair(OpKind::kSiluMul, gate, up); }
  Value gelu_mul(Value gate, Value up) { return pair(OpKind::kGeluMul, gate, up); }
  Value add(Value a, Value b) { return pair(OpKind::kAdd, a, b); }
  void head(Value a, std::string_view slot, float softcap = 0);

  Program finish();  // plans the buffers

 private:
  Value emit(Op op, int32_t width);
  Value pair(OpKind kind, Value a, Value b);
  int32_t width(Value v) const { return program_.widths[static_cast<size_t>(v.id)]; }

  std::span<const Weight> weights_;
  Program program_;
  int32_t layer_ = -1;
};

}  // namespace hearth
