"""The human recordings: one file for each origin, and the one table that lists them."""

from earlet_train.corpus.sources import asterisk, festvox_ru, fillets, kde, tuxpaint
from earlet_train.corpus.sources.recording import Source

SOURCES: dict[str, Source] = {
    "asterisk": asterisk.SOURCE,
    "festvox-ru": festvox_ru.SOURCE,
    "fillets": fillets.SOURCE,
    "kde": kde.SOURCE,
    "tuxpaint": tuxpaint.SOURCE,
}
