"""
AWS's rules of a launch and of a job, as far as they are known: where each is from, how sure it is, and where the
sandbox holds to it. docs/aws-rules.md shows this table (`make aws-rules`).

Nothing here has been seen on a real account: "sure" is AWS's own text, "likely" public reports or reasoning from it.
"""

from __future__ import annotations

from dataclasses import dataclass

MG = "https://docs.aws.amazon.com/emr/latest/ManagementGuide"
RG = "https://docs.aws.amazon.com/emr/latest/ReleaseGuide"
IAM = "https://docs.aws.amazon.com/IAM/latest/UserGuide"
SURE, LIKELY = "sure", "likely"
NOT_EXERCISED = ""


@dataclass(frozen=True)
class AwsRule:
    """
    One rule.

    Attributes:
        rule: what AWS demands, in a sentence.
        sureness: SURE or LIKELY.
        says: AWS's words when it is broken.
        module: of the sandbox, which holds to it; NOT_EXERCISED where nothing here can.
        test: file and function that break it.
    """

    rule: str
    source: str
    sureness: str
    says: str
    module: str = NOT_EXERCISED
    test: str = ""


RULES_TEST = "tests/sandbox/test_aws_rules.py"
REFUSALS_TEST = "tests/unit/sandbox_emr/test_refusals.py"

AWS_RULES = (
    AwsRule(
        "The service role's AmazonEMRServicePolicy_v2 lets EMR use a subnet, security groups that are there, and "
        "a VPC in which it has yet to make them, only with the tag for-use-with-amazon-emr-managed-policies=true",
        f"{MG}/emr-managed-iam-policies.html",
        SURE,
        "VALIDATION_ERROR: Service role arn:aws:iam::...:role/... has insufficient EC2 permissions",
        "launch_rules",
        f"{RULES_TEST}::test_network_without_emrs_tag",
    ),
    AwsRule(
        "The service role may hand the nodes' role to EC2 (v2 allows EMR_EC2_DefaultRole only)",
        f"{MG}/emr-iam-role.html",
        SURE,
        "VALIDATION_ERROR: Service role ... has insufficient EC2 permissions",
        "launch_rules",
        f"{RULES_TEST}::test_service_role_that_may_not_hand_on_the_nodes_role",
    ),
    AwsRule(
        "The first launch of an account makes AWSServiceRoleForEMRCleanup in the caller's name",
        f"{MG}/using-service-linked-roles-cleanup.html",
        SURE,
        "Service-linked role 'AWSServiceRoleForEMRCleanup' for EMR is required. Please create this role directly or "
        "add permission to create it in your IAM entity.",
        "launch_rules",
        f"{RULES_TEST}::test_account_new_to_emr",
    ),
    AwsRule(
        "Instances start in the subnet's zone, and EMR takes a default subnet without regard for the type",
        f"{MG}/VALIDATION_ERROR_INSTANCE_TYPE_NOT_SUPPORTED.html",
        LIKELY,
        "VALIDATION_ERROR_INSTANCE_TYPE_NOT_SUPPORTED",
        "launch_rules",
        f"{RULES_TEST}::test_type_that_is_not_in_every_zone",
    ),
    AwsRule(
        "A launch without a subnet needs a default VPC with default subnets",
        f"{MG}/emr-vpc-launching-job-flows.html",
        LIKELY,
        "VALIDATION_ERROR: The VPC/subnet configuration was invalid: No default VPC for this user",
        "launch_rules",
        f"{RULES_TEST}::test_no_default_vpc",
    ),
    AwsRule(
        "DynamoDB uses a table's customer-managed key in the name of whoever reads or writes items",
        "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html",
        SURE,
        "KMS key access denied error: ... is not authorized to perform: kms:Decrypt",
        "key_actions",
        f"{RULES_TEST}::test_table_under_a_key_that_the_nodes_may_not_use",
    ),
    AwsRule(
        "EMR describes the key of its logs with the service role, and nodes make data keys with it",
        f"{MG}/emr-plan-debugging.html#emr-log-encryption",
        SURE,
        "VALIDATION_ERROR (the wording is likely)",
        "launch_rules",
        f"{RULES_TEST}::test_key_of_the_logs_that_emr_may_not_describe",
    ),
    AwsRule(
        "Nodes may do in S3, KMS and DynamoDB what the role's policies allow, on those folders, keys and tables only",
        f"{IAM}/reference_policies_evaluation-logic.html",
        SURE,
        "... is not authorized to perform: dynamodb:Scan on resource: ... because no identity-based policy allows ...",
        "permissions",
        f"{RULES_TEST}::test_nodes_without_a_right_that_an_option_needs",
    ),
    AwsRule(
        "A managed policy has at most 6,144 characters; inline policies together 10,240 of a role, 2,048 of a user; "
        "white space is not counted",
        f"{IAM}/reference_iam-quotas.html",
        SURE,
        "LimitExceeded: Cannot exceed quota for PolicySize: 6144",
        "size_limits",
        f"{RULES_TEST}::test_policy_that_is_too_long",
    ),
    AwsRule(
        "A template in a request has at most 51,200 bytes, from S3 1 MB",
        "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html",
        SURE,
        "Value at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to 51200",
        "cloudformation.api",
        "tests/sandbox/test_cloudformation.py::test_template_that_is_too_long_for_a_request",
    ),
    AwsRule(
        "EventBridge Scheduler takes a request of at most 256 KB (about 200 tables)",
        "https://docs.aws.amazon.com/scheduler/latest/UserGuide/scheduler-quotas.html",
        LIKELY,
        "ValidationException",
    ),
    AwsRule(
        "All strings of a step have at most 10,240 characters together",
        "https://docs.aws.amazon.com/emr/latest/APIReference/API_HadoopJarStepConfig.html",
        SURE,
        "ValidationException",
        "refusals",
        f"{REFUSALS_TEST}::test_a_step_has_10240_characters_at_most",
    ),
    AwsRule(
        "A cluster has at most 256 active steps",
        f"{MG}/AddingStepstoaJobFlow.html",
        SURE,
        "Maximum number of active steps(State = 'Running', 'Pending' or 'Cancel_Pending') exceeded.",
        "refusals",
        f"{REFUSALS_TEST}::test_a_full_cluster_takes_no_steps",
    ),
    AwsRule(
        "A tag at creation takes elasticmapreduce:AddTags, judged by the tags of the request",
        f"{MG}/emr-fine-grained-cluster-access.html",
        SURE,
        "... is not authorized to perform: elasticmapreduce:AddTags",
        "permissions",
        f"{RULES_TEST}::test_launcher_that_may_not_tag",
    ),
    AwsRule(
        "A private subnet reaches S3 and DynamoDB through gateway endpoints or NAT, and EMR's repositories through S3",
        f"{MG}/emr-clusters-in-a-vpc.html",
        SURE,
        "the cluster hangs in BOOTSTRAPPING",
    ),
    AwsRule(
        "An endpoint's own policy may leave out the buckets of Amazon Linux, EMR's repositories and logs",
        f"{MG}/private-subnet-iampolicy.html",
        SURE,
        "bootstrap failure",
    ),
    AwsRule(
        "EventBridge Scheduler takes runJobFlow as a universal target, with the request in PascalCase",
        "https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html",
        SURE,
        "the target's error in the dead-letter queue",
        "schedules",
        "tests/sandbox/test_sandbox_emr_api.py::test_a_schedule_fires_its_request_with_the_times_filled_in",
    ),
    AwsRule(
        "Capacity of previous generation types may be used up in a zone that offers them",
        f"{MG}/emr-supported-instance-types.html",
        SURE,
        "EC2 provisioning - Insufficient Instance Capacity",
        "faults",
        "tests/sandbox/test_sandbox_emr_api.py::test_no_capacity_ends_the_cluster_with_its_reason",
    ),
    AwsRule(
        "A log folder lies in the cluster's region",
        f"{MG}/emr-plan-debugging.html",
        LIKELY,
        "logs may be missing",
    ),
    AwsRule(
        "Service control policies, permission boundaries and the own policies of buckets, tables and keys",
        f"{IAM}/reference_policies_evaluation-logic.html",
        SURE,
        "... with an explicit deny",
    ),
    AwsRule(
        "m3.xlarge starts on a 7.x label: EMR lists it, nobody has told of a launch",
        f"{MG}/emr-supported-instance-types.html",
        LIKELY,
        "the cluster may hang in STARTING",
    ),
)
