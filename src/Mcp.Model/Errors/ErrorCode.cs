namespace Mcp.Model.Errors;

/// <summary>What failed, for programs. All there are stand here; a text is never changed or given to something else, for other programs
/// match on it.</summary>
/// <remarks>A record, not an enum: what another version says is kept as it is, and is equal to itself. The status is FailedPrecondition
/// unless it is named.</remarks>
public sealed record ErrorCode
{
    // Before the codes: each enters itself.
    private static readonly Dictionary<string, ErrorCode> s_byText = new(StringComparer.Ordinal);

    public static readonly ErrorCode AccelKvm = New("accel.kvm");
    public static readonly ErrorCode AcmeClient = New("acme.client");
    public static readonly ErrorCode AcmePace = New("acme.pace");
    public static readonly ErrorCode AcmeRefused = New("acme.refused");
    public static readonly ErrorCode AddressesExhausted = New("addresses.exhausted");
    public static readonly ErrorCode AdoptFailed = New("adopt.failed");
    public static readonly ErrorCode AdoptSeveral = New("adopt.several");
    public static readonly ErrorCode AdoptUndeployed = New("adopt.undeployed");
    public static readonly ErrorCode AgentStopping = New("agent.stopping");
    public static readonly ErrorCode AuthInvalid = New("auth.invalid", ErrorStatus.Unauthenticated);
    public static readonly ErrorCode AuthMissing = New("auth.missing", ErrorStatus.Unauthenticated);
    public static readonly ErrorCode AuthRole = New("auth.role", ErrorStatus.PermissionDenied);
    public static readonly ErrorCode CertificateAlone = New("certificate.alone");
    public static readonly ErrorCode CertificateAuthority = New("certificate.authority");
    public static readonly ErrorCode CertificateElsewhere = New("certificate.elsewhere");
    public static readonly ErrorCode CertificateFile = New("certificate.file");
    public static readonly ErrorCode CertificateMaster = New("certificate.master");
    public static readonly ErrorCode CertificateMissing = New("certificate.missing");
    public static readonly ErrorCode CertificateWrong = New("certificate.wrong");
    public static readonly ErrorCode ComponentUnknown = New("component.unknown", ErrorStatus.NotFound);
    public static readonly ErrorCode ConfigMissing = New("config.missing");
    public static readonly ErrorCode DefinitionInvalid = New("definition.invalid", ErrorStatus.InvalidArgument);
    public static readonly ErrorCode DefinitionNewer = New("definition.newer");
    public static readonly ErrorCode DefinitionUnreadable = New("definition.unreadable");
    public static readonly ErrorCode DeployElsewhere = New("deploy.elsewhere");
    public static readonly ErrorCode DeployUndone = New("deploy.undone");
    public static readonly ErrorCode DeployUnfinished = New("deploy.unfinished");
    public static readonly ErrorCode DeployUnwatched = New("deploy.unwatched");
    public static readonly ErrorCode Detach = New("detach");
    public static readonly ErrorCode DiskFull = New("disk.full", ErrorStatus.ResourceExhausted);
    public static readonly ErrorCode DnsForeign = New("dns.foreign");
    public static readonly ErrorCode DnsKey = New("dns.key");
    public static readonly ErrorCode DnsListen = New("dns.listen");
    public static readonly ErrorCode DnsRefused = New("dns.refused");
    public static readonly ErrorCode DnsUnreachable = New("dns.unreachable");
    public static readonly ErrorCode DrainPartial = New("drain.partial");
    public static readonly ErrorCode EdgeBackend = New("edge.backend");
    public static readonly ErrorCode EdgeCleartext = New("edge.cleartext");
    public static readonly ErrorCode EdgeHostname = New("edge.hostname");
    public static readonly ErrorCode EdgeL4 = New("edge.l4");
    public static readonly ErrorCode EdgeMaster = New("edge.master");
    public static readonly ErrorCode EdgeNone = New("edge.none");
    public static readonly ErrorCode EdgeOff = New("edge.off");
    public static readonly ErrorCode EdgeOutside = New("edge.outside");
    public static readonly ErrorCode EdgeResolver = New("edge.resolver");
    public static readonly ErrorCode EdgeTaken = New("edge.taken");
    public static readonly ErrorCode EditFailed = New("edit.failed");
    public static readonly ErrorCode ExecUnsupported = New("exec.unsupported");
    public static readonly ErrorCode FileFailed = New("file.failed");
    public static readonly ErrorCode FileMissing = New("file.missing", ErrorStatus.InvalidArgument);
    public static readonly ErrorCode FileOutside = New("file.outside");
    public static readonly ErrorCode FilePath = New("file.path");
    public static readonly ErrorCode FileUnknown = New("file.unknown", ErrorStatus.NotFound);
    public static readonly ErrorCode GuestSilent = New("guest.silent");
    public static readonly ErrorCode HealthFailed = New("health.failed");
    public static readonly ErrorCode ImageArchitecture = New("image.architecture");
    public static readonly ErrorCode ImageArchitectures = New("image.architectures");
    public static readonly ErrorCode ImageDisk = New("image.disk");
    public static readonly ErrorCode ImageEntrypoint = New("image.entrypoint");
    public static readonly ErrorCode ImageGone = New("image.gone");
    public static readonly ErrorCode ImageInvalid = New("image.invalid");
    public static readonly ErrorCode ImageLogin = New("image.login");
    public static readonly ErrorCode ImagePull = New("image.pull");
    public static readonly ErrorCode ImageTooLarge = New("image.too_large");
    public static readonly ErrorCode ImageUser = New("image.user");
    public static readonly ErrorCode ImageVolumes = New("image.volumes");
    public static readonly ErrorCode InitExists = New("init.exists");
    public static readonly ErrorCode InitKeys = New("init.keys");
    public static readonly ErrorCode InitListen = New("init.listen");
    public static readonly ErrorCode InstanceStart = New("instance.start");
    public static readonly ErrorCode InstanceStop = New("instance.stop");
    public static readonly ErrorCode Internal = New("internal", ErrorStatus.Internal);
    public static readonly ErrorCode JoinAddress = New("join.address");
    public static readonly ErrorCode JoinAuthority = New("join.authority");
    public static readonly ErrorCode JoinExpired = New("join.expired");
    public static readonly ErrorCode JoinLife = New("join.life");
    public static readonly ErrorCode JoinMaster = New("join.master");
    public static readonly ErrorCode JoinMember = New("join.member");
    public static readonly ErrorCode JoinName = New("join.name");
    public static readonly ErrorCode JoinRefused = New("join.refused");
    public static readonly ErrorCode JoinRequest = New("join.request");
    public static readonly ErrorCode JoinRoles = New("join.roles");
    public static readonly ErrorCode JoinToken = New("join.token");
    public static readonly ErrorCode JoinUsed = New("join.used");
    public static readonly ErrorCode LogNone = New("log.none", ErrorStatus.NotFound);
    public static readonly ErrorCode LoginFile = New("login.file", ErrorStatus.InvalidArgument);
    public static readonly ErrorCode LoginMissing = New("login.missing", ErrorStatus.InvalidArgument);
    public static readonly ErrorCode MoveComponent = New("move.component");
    public static readonly ErrorCode MoveData = New("move.data");
    public static readonly ErrorCode NameInvalid = New("name.invalid", ErrorStatus.InvalidArgument);
    public static readonly ErrorCode NetworkBridge = New("network.bridge");
    public static readonly ErrorCode NodeAnswer = New("node.answer");
    public static readonly ErrorCode NodeBusy = New("node.busy");
    public static readonly ErrorCode NodeCordoned = New("node.cordoned");
    public static readonly ErrorCode NodeExpected = New("node.expected");
    public static readonly ErrorCode NodeFacts = New("node.facts");
    public static readonly ErrorCode NodeFailed = New("node.failed");
    public static readonly ErrorCode NodeOther = New("node.other");
    public static readonly ErrorCode NodeRemoved = New("node.removed");
    public static readonly ErrorCode ListenFailed = New("listen.failed");
    public static readonly ErrorCode NodeUnknown = New("node.unknown", ErrorStatus.NotFound);
    public static readonly ErrorCode NodeUnreachable = New("node.unreachable");
    public static readonly ErrorCode NodeWanted = New("node.wanted");
    public static readonly ErrorCode OperationCancelled = New("operation.cancelled");
    public static readonly ErrorCode OperationLate = New("operation.late");
    public static readonly ErrorCode OperationNone = New("operation.none", ErrorStatus.NotFound);
    public static readonly ErrorCode PlacementNone = New("placement.none");
    public static readonly ErrorCode PlanChanged = New("plan.changed");
    public static readonly ErrorCode PlanUnsupported = New("plan.unsupported");
    public static readonly ErrorCode PodmanFailed = New("podman.failed");
    public static readonly ErrorCode PodmanMissing = New("podman.missing");
    public static readonly ErrorCode PortAddress = New("port.address");
    public static readonly ErrorCode PortInUse = New("port.in_use");
    public static readonly ErrorCode PortsExhausted = New("ports.exhausted");
    public static readonly ErrorCode ProgramHangs = New("program.hangs");
    public static readonly ErrorCode ProgramMissing = New("program.missing");
    public static readonly ErrorCode ProxyStart = New("proxy.start");
    public static readonly ErrorCode ProxyUnreachable = New("proxy.unreachable");
    public static readonly ErrorCode PurgeFailed = New("purge.failed");
    public static readonly ErrorCode QemuUser = New("qemu.user");
    public static readonly ErrorCode RegistryCorrupt = New("registry.corrupt");
    public static readonly ErrorCode RegistryLocked = New("registry.locked", ErrorStatus.ResourceExhausted);
    public static readonly ErrorCode RegistryNewer = New("registry.newer");
    public static readonly ErrorCode RegistryOpen = New("registry.open");
    public static readonly ErrorCode RequestSuperseded = New("request.superseded");
    public static readonly ErrorCode RolesIncomplete = New("roles.incomplete");
    public static readonly ErrorCode RouteDomain = New("route.domain");
    public static readonly ErrorCode RoutePublic = New("route.public", ErrorStatus.InvalidArgument);
    public static readonly ErrorCode RouteTaken = New("route.taken");
    public static readonly ErrorCode RouteZone = New("route.zone");
    public static readonly ErrorCode RuntimeMissing = New("runtime.missing");
    public static readonly ErrorCode ServiceUnknown = New("service.unknown", ErrorStatus.NotFound);
    public static readonly ErrorCode StateBusy = New("state.busy");
    public static readonly ErrorCode StateMissing = New("state.missing");
    public static readonly ErrorCode StepFailed = New("step.failed", ErrorStatus.Aborted);
    public static readonly ErrorCode UnikernelBuild = New("unikernel.build");
    public static readonly ErrorCode Usage = New("usage", ErrorStatus.InvalidArgument);
    public static readonly ErrorCode VolumeFill = New("volume.fill");
    public static readonly ErrorCode VolumeHeld = New("volume.held");
    public static readonly ErrorCode VolumeInUse = New("volume.in_use");
    public static readonly ErrorCode VolumeMissing = New("volume.missing");
    public static readonly ErrorCode VolumeUnsupported = New("volume.unsupported");
    public static readonly ErrorCode VolumeUnknown = New("volume.unknown", ErrorStatus.NotFound);
    public static readonly ErrorCode VolumeUnsure = New("volume.unsure");

    private ErrorCode(string text, ErrorStatus status) => (Text, Status) = (text, status);

    /// <summary>Every code of this version, in the order of their texts.</summary>
    public static IReadOnlyList<ErrorCode> All { get; } = [.. s_byText.Values.OrderBy(c => c.Text, StringComparer.Ordinal)];

    /// <summary>Lower case, such as "image.pull": what stands on the wire.</summary>
    public string Text { get; }

    public ErrorStatus Status { get; }

    /// <summary>How the programs end when this is why: 1 failed, 2 bad usage or file, 4 not allowed. (3, not reachable, has no code: nobody
    /// answered.)</summary>
    public int ExitCode => Status switch
    {
        ErrorStatus.InvalidArgument => 2,
        ErrorStatus.PermissionDenied or ErrorStatus.Unauthenticated => 4,
        ErrorStatus.FailedPrecondition
            or ErrorStatus.NotFound
            or ErrorStatus.ResourceExhausted
            or ErrorStatus.Aborted
            or ErrorStatus.Internal => 1,
    };

    /// <summary>Null: this version has no such code.</summary>
    public static ErrorCode? Find(string text) => s_byText.GetValueOrDefault(text);

    /// <summary>One of ours, or one of another version with its text as it came.</summary>
    public static ErrorCode Of(string text) => Find(text) ?? new ErrorCode(text, ErrorStatus.FailedPrecondition);

    public override string ToString() => Text;

    private static ErrorCode New(string text, ErrorStatus status = ErrorStatus.FailedPrecondition) =>
        s_byText[text] = new ErrorCode(text, status);
}
