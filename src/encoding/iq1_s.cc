#include "encoding/iq1_s.h"

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"
#include "encoding/iq_grids.h"

namespace hearth {
namespace {

void unpack_block(const BlockIQ1_S& block, int8_t* codes, float* scales) {
  const float d = f16_to_f32(block.d);
  for (int g = 0; g < 32; ++g) {
    const uint16_t qh = block.qh[g / 4];
    scales[g / 2] = d * static_cast<float>(2 * ((qh >> 12) & 7) + 1) / kIq1Unit;
    const int high = (qh >> (g % 4 * 3)) & 7;
    iq1_codes(kIq1Grid[block.qs[g] | high << 8], (qh & 0x8000) == 0 ? 1 : -1, codes + 8 * g);
  }
}

}  // namespace

const Encoding k_iq1_s{"IQ1_S", 19, BlockIQ1_S::kElems, sizeof(BlockIQ1_S),
                       decode_unpacked<BlockIQ1_S, unpack_block>, nullptr,
                       unpack_bytes<BlockIQ1_S, unpack_block>};

}  // namespace hearth
