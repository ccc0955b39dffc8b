#include "encoding/iq1_m.h"

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"
#include "encoding/iq_grids.h"

namespace hearth {
namespace {

void unpack_block(const BlockIQ1_M& block, int8_t* codes, float* scales) {
  const float d = f16_to_f32(block.d());
  for (int g = 0; g < 32; ++g) {
    const int step = (block.scales[g / 8] >> (g % 8 / 2 * 3)) & 7;
    scales[g / 2] = d * static_cast<float>(2 * step + 1) / kIq1Unit;
    const int nibble = (block.qh[g / 2] >> (g % 2 * 4)) & 15;
    const int point = block.qs[g] | (nibble & 7) << 8;
    iq1_codes(kIq1Grid[point], (nibble & 8) == 0 ? 1 : -1, codes + 8 * g);
  }
}

}  // namespace

const Encoding k_iq1_m{"IQ1_M", 29, BlockIQ1_M::kElems, sizeof(BlockIQ1_M),
                       decode_unpacked<BlockIQ1_M, unpack_block>, nullptr,
                       unpack_bytes<BlockIQ1_M, unpack_block>};

}  // namespace hearth
