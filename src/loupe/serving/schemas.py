"""The shapes of requests and replies; the OpenAPI document is made of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

Pixel = FiniteFloat
Pair = Annotated[list[Pixel], Field(min_length=2, max_length=2)]
POINTS, COUNTS, TEXT = 2_000, 300_000, 20_000
PICTURE = "a data URL (data:image/png;base64,...) or loupe:<id> of an uploaded picture"


class Shape(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Placed(Shape):
    image: int = Field(0, ge=0, le=255, description="index of the picture in the conversation")
    phrase: str | None = Field(None, description="the words it was said with, in an earlier answer")


class PointRegion(Placed):
    type: Literal["point"]
    point: Pair = Field(description="[x, y], pixels of the upright picture", examples=[[120, 88]])


class BoxRegion(Placed):
    type: Literal["box"]
    box: Annotated[list[Pixel], Field(min_length=4, max_length=4)] = Field(
        description="[x1, y1, x2, y2]; right and lower edges are exclusive", examples=[[40, 60, 210, 300]])


class PolygonRegion(Placed):
    type: Literal["polygon"]
    polygon: Annotated[list[Pair], Field(min_length=3, max_length=POINTS)] = Field(
        description="one closed ring", examples=[[[10, 10], [60, 12], [30, 50]]])


class RunLengths(Shape):
    size: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=2, max_length=2)] = Field(
        description="[height, width] of the picture")
    counts: str = Field(max_length=COUNTS, description="COCO's compressed run lengths")


class MaskRegion(Placed):
    type: Literal["mask"]
    mask: RunLengths


RegionIn = Annotated[PointRegion | BoxRegion | PolygonRegion | MaskRegion, Field(discriminator="type")]


class Scored(Shape):
    score: float | None = Field(None, description="probability of the region, 0 to 1, where the model gives one")
    span: list[int] | None = Field(None, description="[start, end) characters of content where it is said")
    index: int | None = Field(None, description="its place in the answer's regions")


class FoundPoint(PointRegion, Scored):
    pass


class FoundBox(BoxRegion, Scored):
    pass


class FoundPolygon(PolygonRegion, Scored):
    polygon: list[Pair]


class FoundMask(MaskRegion, Scored):
    pass


FoundRegion = Annotated[FoundPoint | FoundBox | FoundPolygon | FoundMask, Field(discriminator="type")]


class Problem(Shape):
    kind: str
    message: str


class TextPart(Shape):
    type: Literal["text"]
    text: str = Field(max_length=TEXT)


class ImageURL(Shape):
    url: str = Field(description=PICTURE, examples=["loupe:" + "0" * 64])
    detail: str | None = None


class ImagePart(Shape):
    type: Literal["image_url"]
    image_url: ImageURL


UserPart = Annotated[TextPart | ImagePart | PointRegion | BoxRegion | PolygonRegion | MaskRegion,
                     Field(discriminator="type")]


class SystemMessage(Shape):
    role: Literal["system", "developer"]
    content: str | list[TextPart]


class UserMessage(Shape):
    role: Literal["user"]
    content: str | list[UserPart]


class AssistantMessage(Shape):
    """An earlier answer. With `regions` as they came, "[1]" in content stands for the first of them."""

    role: Literal["assistant"]
    content: str | list[TextPart] | None = None
    regions: list[RegionIn] | None = None


Message = Annotated[SystemMessage | UserMessage | AssistantMessage, Field(discriminator="role")]


class StreamOptions(Shape):
    include_usage: bool = False


class ChatRequest(Shape):
    model: str | None = Field(None, description="the name GET /v1/models gives; may be left out")
    messages: list[Message] = Field(min_length=1)
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    temperature: FiniteFloat | None = Field(None, ge=0, le=2, description="0, the most probable answer, if not given")
    seed: int | None = Field(None, ge=0, le=2**63 - 1)
    n: Literal[1] | None = None
    top_p: FiniteFloat | None = Field(None, ge=1, le=1, description="only 1")
    constrain: Literal["box", "boxes", "point", "points", "polygon", "colour", "text", "free"] | None = Field(
        None, description="what the answer must be and cannot help being")


class AnswerMessage(Shape):
    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None
    regions: list[FoundRegion] = []
    problems: list[Problem] = []


class Choice(Shape):
    index: int = 0
    message: AnswerMessage
    finish_reason: Literal["stop", "length"]
    logprobs: None = None


class CachedTokens(Shape):
    cached_tokens: int = 0


class Usage(Shape):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: CachedTokens = CachedTokens()


class Completion(Shape):
    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage | None = None


class Delta(Shape):
    role: Literal["assistant"] | None = None
    content: str | None = None
    regions: list[FoundRegion] | None = None
    problems: list[Problem] | None = None


class ChunkChoice(Shape):
    index: int = 0
    delta: Delta
    finish_reason: Literal["stop", "length"] | None = None
    logprobs: None = None


class Chunk(Shape):
    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | None = None


class ModelCard(Shape):
    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "loupe"
    capabilities: list[str] = Field(description="of chat, stream, describe, locate, ask, segment, pixels")
    regions: list[str] = Field(description="kinds of regions the model reads as they are; others it gets as a box")


class ModelList(Shape):
    object: Literal["list"] = "list"
    data: list[ModelCard]


class Uploaded(Shape):
    id: str = Field(description="sha256 of the file, in hex")
    width: int
    height: int


class OnPicture(Shape):
    image: str = Field(description=PICTURE, examples=["loupe:" + "0" * 64])


class DescribeRequest(OnPicture):
    region: RegionIn
    style: Literal["short", "full", "name"] | None = Field(
        None, description="words that single it out (short), with all its looks (full), its name alone")


class LocateRequest(OnPicture):
    phrase: str = Field(min_length=1, max_length=500)
    check: bool = Field(False, description="ask first whether it is there at all; a sure no leaves no regions")


class SegmentRequest(OnPicture):
    phrase: str | None = Field(None, min_length=1, max_length=500)
    region: RegionIn | None = Field(None, description="instead of a phrase: what is here, named by the model first")
    grid: int = Field(32, ge=1, description="places a side that are asked about")
    check: bool = Field(False, description="of a phrase: ask first whether it is there at all")


class PixelsRequest(OnPicture):
    size: int = Field(32, ge=1, description="pixels a side")


class AskRequest(OnPicture):
    region: RegionIn
    about: Literal["name", "text", "colour", "size", "texture"] = "name"


class Described(Shape):
    content: str
    regions: list[FoundRegion] = []
    problems: list[Problem] = []


class Located(Shape):
    regions: list[FoundRegion]
    absent: bool
    problems: list[Problem] = []


class Segmented(Shape):
    region: FoundMask | None = Field(description="null where nothing of it is seen")
    phrase: str
    absent: bool


class Pixels(Shape):
    size: int
    seen: str = Field(description="PNG data URL: what the model says of every place")
    picture: str = Field(description="PNG data URL: the picture at that size")
    error: float = Field(description="mean difference of the two, per cent of 255")


class SamplePicture(Shape):
    name: str
    url: str


class Health(Shape):
    status: Literal["ok", "stopping"]
    model: str
    waiting: int
    answering: int


class Fault(Shape):
    message: str
    type: str
    param: str | None = None
    code: str | None = None


class Failure(Shape):
    error: Fault
