import gzip
from pathlib import Path

from earlet_train.corpus.sources import SOURCES
from earlet_train.corpus.voices import SPLIT_OF_SPEAKER, all_recordings, bona_fide_packages


def put(file: Path, content: str | bytes = b"") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)


def a_store(folder: Path) -> Path:
    sounds = folder / "asterisk-core-sounds-fr-g722/usr/share/asterisk/sounds/fr_CA_f_June"
    for prompt in ("agent-pass", "digits/1", "silence/3", "beep"):
        put(sounds / f"{prompt}.g722")
    told = "; Prompts\n\nagent-pass: Composez votre mot de passe.\ndigits/1: un\nbeep: [ton]\n"
    document = folder / "asterisk-core-sounds-fr/usr/share/doc/asterisk-core-sounds-fr"
    put(document / "core-sounds-fr.txt.gz", gzip.compress(told.encode()))
    game = "usr/share/games/fillets-ng"
    fish = folder / "fillets-ng-data-cs" / game / "sound/city/cs"
    for line in ("vit-m-ahoj", "vit-v-kde", "vit-hs-vitejte"):
        put(fish / f"{line}.ogg")
    put(
        folder / "fillets-ng-data" / game / "script/city/dialogs_cs.lua",
        'dialogId("vit-m-ahoj", "font_small", "Hello, \\"you\\".")\ndialogStr("Ahoj, \\"ty\\".")\n'
        'dialogId("vit-v-kde", "font_big", "Where?")\ndialogStr("Kde jsi?")\n',
    )
    stamps = folder / "tuxpaint-stamps-default/usr/share/tuxpaint/stamps/animals"
    for name in ("crow_desc_fr.ogg", "crow_fr.ogg", "crow_desc.ogg", "crow_desc_nl.ogg"):
        put(stamps / name)
    put(stamps / "crow.txt", "A crow.\nfr.utf8=Un corbeau.\nda.utf8=En krage.\n")
    voice = folder / "festvox-ru/usr/share/festival/voices/russian/msu_ru_nsh_clunits"
    put(voice / "wav/ru_0001.wav")
    put(voice / "etc/txt.done.data", '( ru_0001 "Она завела прядь вол+ос." )\n')  # noqa: RUF001
    put(folder / "klettres-data/usr/share/klettres/nb/alpha/a.ogg")
    put(folder / "ktuberling-data/usr/share/ktuberling/sounds/nn/hat.opus")
    return folder


def test_each_recording_has_its_speaker_language_text_and_codec(tmp_path: Path) -> None:
    found = all_recordings(a_store(tmp_path), packages=bona_fide_packages())
    told = {(r.speaker, r.language, r.text, r.codec) for r in found}
    assert told == {
        ("AST_fr_june", "fr", "Composez votre mot de passe.", "g722"),
        ("AST_fr_june", "fr", "un", "g722"),
        ("FIL_cs_m", "cs", 'Ahoj, "ty".', "vorbis"),
        ("FIL_cs_v", "cs", "Kde jsi?", "vorbis"),
        ("TUX_fr", "fr", "Un corbeau.", "vorbis"),
        ("FVX_ru_nsh", "ru", "Она завела прядь волос.", "pcm"),
        ("KDE_no", "no", None, "vorbis"),
    }
    assert len(found) == 8  # both games' Norwegian voices share one code


def test_the_packages_asked_for_are_the_ones_read(tmp_path: Path) -> None:
    found = all_recordings(a_store(tmp_path), packages=["festvox-ru"])
    assert {r.package for r in found} == {"festvox-ru"}


def test_an_empty_store_gives_nothing_and_fails_nowhere(tmp_path: Path) -> None:
    assert all_recordings(tmp_path, packages=bona_fide_packages()) == []
    assert [s for source in SOURCES.values() for s in source.sentences(tmp_path)] == []


def test_sentences_come_in_every_language_that_the_texts_hold(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    found = {(s.language, s.text) for source in SOURCES.values() for s in source.sentences(store)}
    assert ("da", "En krage.") in found
    assert ("en", "A crow.") in found
    assert ("fr", "[ton]") not in found


def test_dev_has_at_least_eight_voices_and_eval_languages_are_its_own() -> None:
    voices = {
        split: [s for s, own in SPLIT_OF_SPEAKER.items() if own == split]
        for split in ("train", "dev", "eval")
    }
    assert len(voices["dev"]) >= 8
    unheard = ("_nl", "_be", "_el", "_da", "_lt", "_en")
    for split in ("train", "dev"):
        assert not [v for v in voices[split] if v.endswith(unheard) or "_nl_" in v]
