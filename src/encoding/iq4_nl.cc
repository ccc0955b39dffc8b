#include "encoding/iq4_nl.h"

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"

namespace hearth {
namespace {

void decode_block(const BlockIQ4_NL& block, float* out) {
  const float d = f16_to_f32(block.d);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>(kIq4Levels[block.qs[i] & 15]);
    out[i + 16] = d * static_cast<float>(kIq4Levels[block.qs[i] >> 4]);
  }
}

}  // namespace

const Encoding k_iq4_nl{"IQ4_NL", 20, BlockIQ4_NL::kElems, sizeof(BlockIQ4_NL),
                         decode_blocks<BlockIQ4_NL, decode_block>, nullptr};

}  // namespace hearth
