#include "encoding/q2_k.h"

#include "encoding/affine_search.h"
#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"

namespace hearth {
namespace {

void decode_block(const BlockQ2_K& block, float* out) {
  const float d = f16_to_f32(block.d);
  const float dmin = f16_to_f32(block.dmin);
  for (int v = 0; v < 256; ++v) {
    const uint8_t packed = block.scales[v / 16];
    const float scale = d * static_cast<float>(packed & 15);
    const float min = dmin * static_cast<float>(packed >> 4);
    const int q = (block.qs[v / 128 * 32 + v % 32] >> (v % 128 / 32 * 2)) & 3;
    out[v] = scale * static_cast<float>(q) - min;
  }
}

void encode_block(const Values& v, BlockQ2_K& block) {
  const AffineGroups fit = fit_affine_groups(v, {16, 3, 15});
  block.d = fit.d;
  block.dmin = fit.dmin;
  for (int g = 0; g < 16; ++g) {
    block.scales[g] = static_cast<uint8_t>(fit.scale[g] | fit.min[g] << 4);
  }
  for (int n = 0; n < 256; ++n) {
    block.qs[n / 128 * 32 + n % 32] |= static_cast<uint8_t>(fit.level[n] << (n % 128 / 32 * 2));
  }
}

}  // namespace

const Encoding k_q2_k{"Q2_K", 10, BlockQ2_K::kElems, sizeof(BlockQ2_K),
                      decode_blocks<BlockQ2_K, decode_block>,
                      encode_blocks<BlockQ2_K, encode_block>};

}  // namespace hearth
