#include "encoding/iq4_nl.h"

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"
#include "encoding/scale_search.h"

namespace hearth {
namespace {

void decode_block(const BlockIQ4_NL& block, float* out) {
  const float d = f16_to_f32(block.d);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>(kIq4Levels[block.qs[i] & 15]);
    out[i + 16] = d * static_cast<float>(kIq4Levels[block.qs[i] >> 4]);
  }
}

void encode_block(const Values& v, BlockIQ4_NL& block) {
  const TableLevels levels(kIq4Levels);
  block.d = fit_stored_scale(v, levels, {-127, 0.01f, 12, true});
  const float inverse = inverse_or_zero(f16_to_f32(block.d));
  for (int i = 0; i < 16; ++i) {
    const int low = levels.nearest_index(v.x[i] * inverse);
    const int high = levels.nearest_index(v.x[i + 16] * inverse);
    block.qs[i] = static_cast<uint8_t>(low | high << 4);
  }
}

}  // namespace

const Encoding k_iq4_nl{"IQ4_NL", 20, BlockIQ4_NL::kElems, sizeof(BlockIQ4_NL),
                        decode_blocks<BlockIQ4_NL, decode_block>,
                        encode_blocks<BlockIQ4_NL, encode_block>};

}  // namespace hearth
