#include "encoding/q5_1.h"

#include "encoding/affine_search.h"
#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"

namespace hearth {
namespace {

void decode_block(const BlockQ5_1& block, float* out) {
  const float d = f16_to_f32(block.d);
  const float m = f16_to_f32(block.m);
  for (int i = 0; i < 32; ++i) {
    const int low = i < 16 ? block.qs[i] & 15 : block.qs[i - 16] >> 4;
    const int high = (block.qh[i / 8] >> (i % 8)) & 1;
    out[i] = d * static_cast<float>(low | high << 4) + m;
  }
}

void encode_block(const Values& v, BlockQ5_1& block) {
  const StoredAffine fit = fit_stored_affine(v, 31);
  block.d = fit.scale;
  block.m = fit.min;
  for (int i = 0; i < 32; ++i) {
    const int q = fit.level(v.x[i], 31);
    block.qs[i % 16] |= static_cast<uint8_t>((q & 15) << (i / 16 * 4));
    block.qh[i / 8] |= static_cast<uint8_t>(q >> 4 << (i % 8));
  }
}

}  // namespace

const Encoding k_q5_1{"Q5_1", 7, BlockQ5_1::kElems, sizeof(BlockQ5_1),
                      decode_blocks<BlockQ5_1, decode_block>,
                      encode_blocks<BlockQ5_1, encode_block>};

}  // namespace hearth
