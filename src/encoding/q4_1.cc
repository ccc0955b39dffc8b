#include "encoding/q4_1.h"

#include "encoding/affine_search.h"
#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"

namespace hearth {
namespace {

void decode_block(const BlockQ4_1& block, float* out) {
  const float d = f16_to_f32(block.d);
  const float m = f16_to_f32(block.m);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>(block.qs[i] & 15) + m;
    out[i + 16] = d * static_cast<float>(block.qs[i] >> 4) + m;
  }
}

void encode_block(const Values& v, BlockQ4_1& block) {
  const StoredAffine fit = fit_stored_affine(v, 15);
  block.d = fit.scale;
  block.m = fit.min;
  for (int i = 0; i < 16; ++i) {
    block.qs[i] = static_cast<uint8_t>(fit.level(v.x[i], 15) | fit.level(v.x[i + 16], 15) << 4);
  }
}

}  // namespace

const Encoding k_q4_1{"Q4_1", 3, BlockQ4_1::kElems, sizeof(BlockQ4_1),
                      decode_blocks<BlockQ4_1, decode_block>,
                      encode_blocks<BlockQ4_1, encode_block>};

}  // namespace hearth
