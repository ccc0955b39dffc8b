#include "encoding/iq4_xs.h"

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"
#include "encoding/iq4_nl.h"

namespace hearth {
namespace {

void decode_block(const BlockIQ4_XS& block, float* out) {
  const float d = f16_to_f32(block.d);
  for (int g = 0; g < 8; ++g) {
    const float scale = d * static_cast<float>(block.scale(g) - 32);
    const uint8_t* qs = block.qs + 16 * g;
    for (int i = 0; i < 16; ++i) {
      out[32 * g + i] = scale * static_cast<float>(kIq4Levels[qs[i] & 15]);
      out[32 * g + 16 + i] = scale * static_cast<float>(kIq4Levels[qs[i] >> 4]);
    }
  }
}

}  // namespace

const Encoding k_iq4_xs{"IQ4_XS", 23, BlockIQ4_XS::kElems, sizeof(BlockIQ4_XS),
                         decode_blocks<BlockIQ4_XS, decode_block>, nullptr};

}  // namespace hearth
