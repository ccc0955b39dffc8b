#include "encoding/q8_0.h"

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"
#include "encoding/scale_search.h"

namespace hearth {
namespace {

void decode_block(const BlockQ8_0& block, float* out) {
  const float d = f16_to_f32(block.d);
  for (int i = 0; i < 32; ++i) out[i] = static_cast<float>(block.qs[i]) * d;
}

// -128 is not used: kernels may negate.
void encode_block(const Values& v, BlockQ8_0& block) {
  const IntegerLevels levels{-127, 127};
  block.d = fit_stored_scale(v, levels, {127, 0.0008f, 5, false});
  const float inverse = inverse_or_zero(f16_to_f32(block.d));
  for (int i = 0; i < 32; ++i) block.qs[i] = static_cast<int8_t>(levels.nearest(v.x[i] * inverse));
}

}  // namespace

const Encoding k_q8_0{"Q8_0", 8, BlockQ8_0::kElems, sizeof(BlockQ8_0),
                      decode_blocks<BlockQ8_0, decode_block>,
                      encode_blocks<BlockQ8_0, encode_block>};

}  // namespace hearth
